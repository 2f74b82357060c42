"""What the files of a dataset say, as far as they are as they were written.

A file whose sha256 is not the manifest's is never given to a library that parses it: damaged
structure can crash libhdf5.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipelines.planning.plan import Plan, plan_digest, plan_of_dataset, shard_counts
from pipelines.verification.accounting import rejected_windows
from pipelines.verification.defects import Defect, Windows
from pipelines.verification.scan import Scan, scan
from schemas import Dataset, DatasetError
from schemas.codecs.base import Row
from schemas.manifest import MANIFEST_FILE, Manifest
from schemas.names import CARD_FILES
from schemas.shards import SPLITS, ShardIndex, index_file, shard_file
from schemas.tables import INPUTS_FILE, RECORDINGS_FILE, REJECTS_FILE, labeled_recording


def without_path(error: Exception, where: str) -> str:
    """An error's message without the path, which a defect names already."""
    return str(error).removeprefix(f"{where}: ")


@dataclasses.dataclass(frozen=True)
class DatasetShard:
    """One shard file of a dataset."""

    name: str
    file_format: str
    split: str
    number: int


def shards_of(manifest: Manifest) -> list[DatasetShard]:
    """All shard files that there should be, format by format."""
    return [
        DatasetShard(shard_file(split, number, count, file_format), file_format, split, number)
        for file_format in manifest.formats
        for split, count in ((split, manifest.splits[split].shards) for split in SPLITS)
        for number in range(count)
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class Check:
    """What is checked: `present` are the names of all files, `progress` takes bytes read."""

    dataset: Dataset
    present: frozenset[str]
    progress: Callable[[int], object]

    def scan(self, name: str, file_format: str = "", rows: Sequence[Row] = ()) -> Scan:
        """Reads a file. Raises `DatasetError` where that cannot be done."""
        if name not in self.dataset.manifest.files:
            raise DatasetError(f"is not listed in {MANIFEST_FILE}")
        if name not in self.present:
            raise DatasetError("is missing")
        nbytes = self.dataset.manifest.files[name].nbytes
        storage = self.dataset.storage
        try:
            with storage.open(name) as file:
                return scan(file, nbytes, file_format, rows, self.dataset.config, self.progress)
        except (DatasetError, OSError) as error:
            raise DatasetError(without_path(error, storage.path(name))) from None

    def difference(self, name: str, found: Scan) -> str | None:
        """How a file that was read differs from what the manifest says of it."""
        entry = self.dataset.manifest.files[name]
        if found.sha256 == entry.sha256:
            return None
        if other := self.owner(found):
            return f"holds the bytes of {other}"
        if found.nbytes != entry.nbytes:
            return f"has {found.nbytes:,} bytes instead of {entry.nbytes:,}"
        return f"differs from its sha256 in {MANIFEST_FILE}"

    def owner(self, found: Scan) -> str | None:
        """The file whose bytes these are."""
        files = self.dataset.manifest.files.items()
        return next((name for name, entry in files if entry.sha256 == found.sha256), None)


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """What the tables say that are as they were written; None, or left out, for the others.

    `indexes` is by shard; `belonging`, by split and number, are the windows that belong in a shard
    of any format: recording_id, first_frame, valid_frames.
    """

    plan: Plan | None
    rejects: list[dict[str, Any]] | None
    indexes: Mapping[str, ShardIndex]
    belonging: Mapping[tuple[str, int], list[tuple[str, int, int]] | None]

    def windows_of(self, shard: DatasetShard) -> Windows | None:
        """The windows that belong in a shard; None, for every window, where nothing tells."""
        return _names(self.belonging[shard.split, shard.number])

    def windows_of_recording(self, recording_id: str) -> Windows | None:
        """The windows of one recording; None as above."""
        rows: list[tuple[str, int, int]] = []
        for own in self.belonging.values():
            if own is None:
                return None
            rows += (row for row in own if row[0] == recording_id)
        return _names(rows)


def _names(rows: Iterable[tuple[str, int, int]] | None) -> Windows | None:
    return None if rows is None else tuple((name, first) for name, first, _ in rows)


def listed_windows(index: ShardIndex) -> list[tuple[str, int, int]]:
    columns = ("recording_id", "first_frame", "valid_frames")
    return list(zip(*(index.table[name].to_pylist() for name in columns), strict=True))


def read_tables(check: Check) -> tuple[Tables, list[Defect]]:
    """Reads every file but the shards, and says what is wrong with each."""
    dataset = check.dataset
    shards = {index_file(shard.name): shard for shard in shards_of(dataset.manifest)}
    shard_names = {shard.name for shard in shards.values()}
    problems: dict[str, str] = {}

    def read(name: str, parse: Callable[[], Any]) -> Any:
        """What `parse` makes of a file, None where that is damaged."""
        try:
            problem = check.difference(name, check.scan(name))
            if problem is None:
                return parse()
        except DatasetError as error:
            problem = without_path(error, dataset.storage.path(name))
        problems[name] = problem
        return None

    plan = read(RECORDINGS_FILE, lambda: planned(dataset))
    rejects = read(REJECTS_FILE, lambda: dataset.rejects().to_pylist())
    indexes = {}
    for name, shard in shards.items():
        if index := read(name, functools.partial(dataset.index, shard.name)):
            indexes[shard.name] = index
    read_already = {RECORDINGS_FILE, REJECTS_FILE, *shards, *shard_names}
    for name in sorted(set(dataset.manifest.files) - read_already):
        read(name, lambda: None)
    belonging = _belonging(plan, rejects, indexes, shards.values())
    tables = Tables(plan, rejects, indexes, belonging)

    def concerned(name: str) -> Windows | None:
        if name in shards:
            return tables.windows_of(shards[name])
        if recording_id := labeled_recording(name):
            return tables.windows_of_recording(recording_id)
        return () if name in (REJECTS_FILE, INPUTS_FILE, *CARD_FILES) else None

    return tables, [Defect(name, text, concerned(name)) for name, text in problems.items()]


def _belonging(
    plan: Plan | None,
    rejects: list[dict[str, Any]] | None,
    indexes: Mapping[str, ShardIndex],
    shards: Iterable[DatasetShard],
) -> dict[tuple[str, int], list[tuple[str, int, int]] | None]:
    """As in `Tables`: by the plan, without rejected windows, or else by the index of any format."""
    rejected: set[tuple[str, int | None]] = {*rejected_windows(rejects or [])}
    for index in indexes.values():
        rejected |= {(reject.recording_id, reject.position) for reject in index.report.rejects}
    found: dict[tuple[str, int], list[tuple[str, int, int]] | None] = {}
    for shard in shards:
        place = (shard.split, shard.number)
        if found.get(place) is not None:
            continue
        if plan:
            found[place] = [
                (plan.recording_ids[window.recording], window.first_frame, window.valid_frames)
                for window in plan.shard_windows(*place, rejected=rejected)
            ]
        else:
            found[place] = listed_windows(indexes[shard.name]) if shard.name in indexes else None
    return found


def planned(dataset: Dataset) -> Plan:
    """The plan by which a dataset was made, from what it says of itself."""
    manifest, recordings = dataset.manifest, dataset.recordings()
    counts = shard_counts(manifest)
    digest = plan_digest(manifest.config, manifest.seed, counts, recordings)
    return plan_of_dataset(manifest, recordings, digest)
