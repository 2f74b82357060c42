"""Verifying a dataset: what is wrong with it, and which of its windows that concerns.

A file whose sha256 is not the manifest's is never given to a library that parses it: damaged
structure can crash libhdf5. Of shards, which windows are whole is told by their indexes alone.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import pyarrow as pa
from tqdm import tqdm

from pipelines.accounting import (
    Account,
    accounts_of,
    add_up,
    refused_recordings,
    refused_windows,
)
from pipelines.plan import Plan
from pipelines.publish import finished_recordings, training_statistics
from pipelines.scan import Row, Scan, scan
from schemas import Dataset, DatasetError
from schemas.dataset import fingerprint
from schemas.hdf5 import window_names
from schemas.manifest import MANIFEST_FILE, Manifest, spelled
from schemas.shards import SPLITS, ShardIndex, index_file, rejects_table, shard_file
from schemas.tables import RECORDINGS_FILE, REJECTS_FILE, labels_file

_SHOWN_WINDOWS = 3

Windows = tuple[tuple[str, int], ...]
"""Windows by recording_id and first frame."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """Something that is wrong with one file of a dataset.

    `windows` are those that can no longer be relied on, in the order of the file; None says that
    it is every window of the dataset.
    """

    file: str
    problem: str
    windows: Windows | None

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; concerns {_windows_text(self.windows)}"


def _windows_text(windows: Windows | None) -> str:
    if windows is None:
        return "every window"
    if not windows:
        return "no window"
    shown = [f"{recording_id} at {frame}" for recording_id, frame in windows[:_SHOWN_WINDOWS]]
    more = ", ..." if len(windows) > _SHOWN_WINDOWS else ""
    count = "1 window" if len(windows) == 1 else f"{len(windows):,} windows"
    return f"{count}: {', '.join(shown)}{more}"


@dataclasses.dataclass(frozen=True)
class Verification:
    """What was looked at and what is wrong; no defects: the dataset is sound.

    `samples` says where all recordings' samples went, but for those of `refused_recordings`; it
    is None where tables that tell of them are missing or damaged.
    """

    dataset: str
    files: int
    windows: int
    nbytes: int
    samples: Account | None
    refused_recordings: int | None
    defects: tuple[Defect, ...]

    def summary(self) -> str:
        verdict = f"{len(self.defects)} defects" if self.defects else "sound"
        return (
            f"{self._samples_text()}\n{self.dataset}: {verdict}; {self.files:,} files, "
            f"{self.windows:,} windows, {self.nbytes / 1e6:,.1f} MB checked"
        )

    def _samples_text(self) -> str:
        if self.samples is None:
            return "samples were not counted: tables that tell of them are missing or damaged"
        refused = f"{self.refused_recordings:,} recording{'s' * (self.refused_recordings != 1)}"
        return f"{self.samples}, {refused} refused; {self.samples.padding:,} of padding"


def verify(root: str) -> Verification:
    """Checks the dataset in `root`. Defects are in the result, never exceptions."""
    try:
        dataset = Dataset(root)
    except (DatasetError, OSError) as error:
        where = f"{root.rstrip('/')}/{MANIFEST_FILE}"
        defect = Defect(MANIFEST_FILE, _told(error, where), None)
        return Verification(root, 0, 0, 0, None, None, (defect,))
    files = dataset.manifest.files
    total = sum(entry.nbytes for entry in files.values())
    with tqdm(total=total, desc="verifying", unit="B", unit_scale=True, dynamic_ncols=True) as bar:
        check = _Check(dataset, frozenset(dataset.storage.list_files()), bar.update)
        tables, defects = _read_tables(check)
        for shard in _shards(dataset.manifest):
            defects += _shard_defects(check, tables, shard)
        bar.update(total - bar.n)
    defects += [*_manifest_defects(dataset), *_extra_defects(check), *_total_defects(check, tables)]
    accounts = _accounts(tables, dataset.manifest)
    defects += _account_defects(tables, accounts)
    return Verification(
        dataset=root,
        files=len(files) + 1,
        windows=sum(split.windows for split in dataset.manifest.splits.values()),
        nbytes=total,
        samples=None if accounts is None else add_up(accounts.values()),
        refused_recordings=_refused_count(tables, accounts),
        defects=tuple(defects),
    )


def _told(error: Exception, where: str) -> str:
    """An error's message without the path, which a defect names already."""
    return str(error).removeprefix(f"{where}: ")


@dataclasses.dataclass(frozen=True)
class _Shard:
    """One shard file of a dataset."""

    name: str
    file_format: str
    split: str
    number: int


def _shards(manifest: Manifest) -> list[_Shard]:
    """All shard files that there should be, format by format."""
    return [
        _Shard(shard_file(split, number, count, file_format), file_format, split, number)
        for file_format in manifest.formats
        for split, count in ((split, manifest.splits[split].shards) for split in SPLITS)
        for number in range(count)
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class _Check:
    """What is checked: `present` are the names of all files, `progress` is told of bytes read."""

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
            raise DatasetError(_told(error, storage.path(name))) from None

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
class _Tables:
    """What the tables say that are as they were written; None, or left out, for the others.

    `indexes` is by shard; `belonging`, by split and number, are the windows that belong in a shard
    of any format: recording_id, first_frame, valid_frames.
    """

    plan: Plan | None
    rejects: list[dict[str, Any]] | None
    indexes: Mapping[str, ShardIndex]
    belonging: Mapping[tuple[str, int], list[tuple[str, int, int]] | None]

    def windows_of(self, shard: _Shard) -> Windows | None:
        """The windows that belong in a shard; None, for every window, where nothing tells."""
        return _names(self.belonging[shard.split, shard.number])

    def windows_with(self, labels: str) -> Windows | None:
        """The windows of the recording that has this label file; None as above."""
        rows: list[tuple[str, int, int]] = []
        for own in self.belonging.values():
            if own is None:
                return None
            rows += (row for row in own if labels_file(row[0]) == labels)
        return _names(rows)


def _names(rows: Iterable[tuple[str, int, int]] | None) -> Windows | None:
    return None if rows is None else tuple((name, first) for name, first, _ in rows)


def _listed(index: ShardIndex) -> list[tuple[str, int, int]]:
    columns = ("recording_id", "first_frame", "valid_frames")
    return list(zip(*(index.table[name].to_pylist() for name in columns), strict=True))


def _read_tables(check: _Check) -> tuple[_Tables, list[Defect]]:
    """Reads every file but the shards, and says what is wrong with each."""
    dataset = check.dataset
    shards = {index_file(shard.name): shard for shard in _shards(dataset.manifest)}
    shard_names = {shard.name for shard in shards.values()}
    problems: dict[str, str] = {}

    def read(name: str, parse: Callable[[], Any]) -> Any:
        """What `parse` makes of a file, None where that is damaged."""
        try:
            problem = check.difference(name, check.scan(name))
            if problem is None:
                return parse()
        except DatasetError as error:
            problem = _told(error, dataset.storage.path(name))
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
    tables = _Tables(plan, rejects, indexes, belonging)

    def concerned(name: str) -> Windows | None:
        if name in shards:
            return tables.windows_of(shards[name])
        if name.startswith("labels/"):
            return tables.windows_with(name)
        return () if name == REJECTS_FILE else None

    return tables, [Defect(name, text, concerned(name)) for name, text in problems.items()]


def _belonging(
    plan: Plan | None,
    rejects: list[dict[str, Any]] | None,
    indexes: Mapping[str, ShardIndex],
    shards: Iterable[_Shard],
) -> dict[tuple[str, int], list[tuple[str, int, int]] | None]:
    """As in `_Tables`: by the plan, but for refused windows, or else by the index of any format."""
    refused: set[tuple[str, int | None]] = {*refused_windows(rejects or [])}
    for index in indexes.values():
        refused |= {(reject.recording_id, reject.position) for reject in index.report.rejects}
    ids = plan.recordings["recording_id"].to_pylist() if plan else []
    found: dict[tuple[str, int], list[tuple[str, int, int]] | None] = {}
    for shard in shards:
        place = (shard.split, shard.number)
        if found.get(place) is not None:
            continue
        if plan:
            found[place] = [
                (ids[window.recording], window.first_frame, window.valid_frames)
                for window in plan.shard_windows(*place)
                if (ids[window.recording], window.first_frame) not in refused
            ]
        else:
            found[place] = _listed(indexes[shard.name]) if shard.name in indexes else None
    return found


def planned(dataset: Dataset) -> Plan:
    """The plan by which a dataset was made, from what it says of itself."""
    recordings = dataset.recordings()
    rows = [row for row in recordings.to_pylist() if row["split"]]
    windows = {
        split: sum(row["windows"] for row in rows if row["split"] == split) for split in SPLITS
    }
    shards = {name: split.shards for name, split in dataset.manifest.splits.items()}
    manifest = dataset.manifest
    return Plan(manifest.config, manifest.seed, recordings, windows, shards, ())


def _shard_defects(check: _Check, tables: _Tables, shard: _Shard) -> Iterator[Defect]:
    """Reads a shard once: what is wrong with its bytes, its index and what it says of itself."""
    windows = tables.windows_of(shard)
    index = tables.indexes.get(shard.name)
    rows = index.table.to_pylist() if index else []
    try:
        found = check.scan(shard.name, shard.file_format, rows)
    except DatasetError as error:
        yield Defect(shard.name, str(error), windows)
        return
    problem = check.difference(shard.name, found)
    if index is None:
        # Without an index, nothing tells its windows apart.
        if problem:
            yield Defect(shard.name, problem, windows)
        return
    yield from _byte_defects(check, shard, found, rows, windows)
    for text in _index_problems(shard, index, tables):
        yield Defect(shard.name, text, windows)
    if problem or found.damaged:
        return
    if shard.file_format == "hdf5":
        for text in _hdf5_problems(check.dataset, shard.name, rows):
            yield Defect(shard.name, text, windows)
    written = index.report.statistics
    if written and written.to_dict() != found.statistics.to_dict():
        yield Defect(shard.name, "its statistics are not those of its windows", windows)


def _byte_defects(
    check: _Check, shard: _Shard, found: Scan, rows: Sequence[Row], windows: Windows | None
) -> Iterator[Defect]:
    """What is wrong with a shard's bytes, as precisely as its index can tell."""
    entry = check.dataset.manifest.files[shard.name]
    problem = check.difference(shard.name, found)
    if problem and check.owner(found):
        yield Defect(shard.name, problem, windows)
        return
    if found.damaged:
        first = next(iter(found.damaged.values()))
        text = f"{len(found.damaged)} of its {len(rows)} windows are damaged, first {first}"
        concerned = [rows[number] for number in sorted(found.damaged)]
        names = tuple((row["recording_id"], row["first_frame"]) for row in concerned)
        yield Defect(shard.name, f"{problem}; {text}" if problem else text, names)
    elif problem and found.sha256_of_start != entry.sha256:
        yield Defect(shard.name, f"{problem}, outside the windows' features", windows)
    # Of an HDF5 file, what follows the features is its own structure.
    end = found.end if shard.file_format == "tfrecord" else entry.nbytes
    if found.nbytes > end:
        yield Defect(shard.name, f"{found.nbytes - end:,} bytes too many at its end", ())


def _index_problems(shard: _Shard, index: ShardIndex, tables: _Tables) -> Iterator[str]:
    """Whether an index lists the windows that the plan puts into its shard, but for rejects."""
    if tables.plan is None:
        return
    listed = _listed(index)
    if listed != tables.belonging[shard.split, shard.number]:
        yield "its index does not list the windows that belong there"
    if index.report.windows != len(listed):
        yield f"its report counts {index.report.windows} windows of {len(listed)}"
    if index.report.plan_digest != tables.plan.digest:
        yield "was written for another plan"


def _hdf5_problems(dataset: Dataset, shard: str, rows: Sequence[Row]) -> Iterator[str]:
    """Whether h5py finds the windows of the index, at the places that the index says."""
    try:
        with dataset.storage.open(shard) as stored, h5py.File(stored, "r") as file:
            yield from _array_problems(file, dataset, rows)
    except (OSError, KeyError) as error:
        yield f"is not a readable HDF5 shard: {error}"


def _array_problems(file: h5py.File, dataset: Dataset, rows: Sequence[Row]) -> Iterator[str]:
    count = len(rows)
    for name, spec in dataset.config.specs().items():
        data = file[name]
        if data.shape != (count, *spec.shape) or data.dtype != spec.dtype:
            yield f"{name} is {data.dtype} {data.shape}"
            continue
        start = data.id.get_offset()
        offsets = [start + row * spec.nbytes for row in range(count)]
        if count and [row[f"{name}_offset"] for row in rows] != offsets:
            yield f"{name} does not lie where its index says"
    names = [(row["recording_id"], row["first_frame"], row["valid_frames"]) for row in rows]
    if window_names(file) != names:
        yield "names other windows than its index"


def _manifest_defects(dataset: Dataset) -> Iterator[Defect]:
    """Whether the manifest is spelled as it was written: its digest is of what it says only."""
    data = dataset.storage.read_bytes(MANIFEST_FILE)
    if data != spelled(json.loads(data)):
        text = "is not spelled as it was written, though it says the same"
        yield Defect(MANIFEST_FILE, text, None)


def _extra_defects(check: _Check) -> Iterator[Defect]:
    for name in sorted(check.present - set(check.dataset.manifest.files) - {MANIFEST_FILE}):
        yield Defect(name, "does not belong to the dataset; remove it", ())


def _total_defects(check: _Check, tables: _Tables) -> Iterator[Defect]:
    """Whether the manifest and the tables say what the shards sum up to, in each format."""
    manifest, plan = check.dataset.manifest, tables.plan
    if plan is None:
        return
    if plan.digest != manifest.plan_digest:
        yield Defect(MANIFEST_FILE, f"its plan is not that of {RECORDINGS_FILE}", None)
    for indexes in _complete_formats(tables, manifest):
        yield from _sum_defects(manifest, plan, tables.rejects, indexes)
    yield from _format_defects(tables, _shards(manifest))


def _complete_formats(tables: _Tables, manifest: Manifest) -> Iterator[dict[str, ShardIndex]]:
    """The indexes of each format of which none is damaged, by shard."""
    for file_format in manifest.formats:
        names = [each.name for each in _shards(manifest) if each.file_format == file_format]
        if all(name in tables.indexes for name in names):
            yield {name: tables.indexes[name] for name in names}


def _sum_defects(
    manifest: Manifest,
    plan: Plan,
    rejects: Sequence[Mapping[str, Any]] | None,
    indexes: Mapping[str, ShardIndex],
) -> Iterator[Defect]:
    """The same for one format; `indexes` are all of its shards'."""
    reports = {name: index.report for name, index in indexes.items()}
    windows = [index.table for index in indexes.values()]
    if fingerprint(manifest.config, manifest.plan_digest, windows) != manifest.fingerprint:
        yield Defect(MANIFEST_FILE, "the fingerprint is not that of the windows", None)
    merged, stored = training_statistics(plan, reports), manifest.statistics
    if (merged and merged.to_dict()) != (stored and stored.to_dict()):
        text = "the statistics are not those of the training shards"
        yield Defect(MANIFEST_FILE, text, None)
    for split, summary in manifest.splits.items():
        own = [report for name, report in reports.items() if name.startswith(f"{split}/")]
        if sum(report.windows for report in own) != summary.windows:
            yield Defect(MANIFEST_FILE, f"counts {summary.windows} windows in {split}", None)
    if not finished_recordings(plan, list(reports.values())).equals(plan.recordings):
        yield Defect(RECORDINGS_FILE, "its counts are not those of the shards", None)
    in_shards = [reject for report in reports.values() for reject in report.rejects]
    told = rejects_table(in_shards).to_pylist()
    if rejects is not None and any(row not in rejects for row in told):
        yield Defect(REJECTS_FILE, "lacks windows that a shard refused", ())


def _format_defects(tables: _Tables, shards: Sequence[_Shard]) -> Iterator[Defect]:
    """Whether all formats hold the same windows, in the same order, with equal bytes."""
    firsts: dict[tuple[str, int], _Shard] = {}
    for shard in shards:
        first = firsts.setdefault((shard.split, shard.number), shard)
        if not {first.name, shard.name} <= set(tables.indexes):
            continue
        ours, theirs = (_without_offsets(tables.indexes[each.name]) for each in (first, shard))
        if not ours.equals(theirs):
            text = f"differs from {first.name} in its windows' bytes or order"
            yield Defect(shard.name, text, tables.windows_of(shard))


def _without_offsets(index: ShardIndex) -> pa.Table:
    columns = [name for name in index.table.column_names if not name.endswith("_offset")]
    return index.table.select(columns)


def _accounts(tables: _Tables, manifest: Manifest) -> dict[str, Account] | None:
    """Each recording's account, by its id; None where damaged tables leave that open."""
    indexes = next(_complete_formats(tables, manifest), None)
    if tables.plan is None or tables.rejects is None or indexes is None:
        return None
    rows = tables.plan.recordings.to_pylist()
    stored = [(name, first) for index in indexes.values() for name, first, _ in _listed(index)]
    return accounts_of(rows, stored, refused_windows(tables.rejects), manifest.config)


def _refused_count(tables: _Tables, accounts: Mapping[str, Account] | None) -> int | None:
    """Recordings that were refused as a whole; others may have lost their labels only."""
    if accounts is None or tables.rejects is None:
        return None
    return len(refused_recordings(tables.rejects) - set(accounts))


def _account_defects(tables: _Tables, accounts: Mapping[str, Account] | None) -> Iterator[Defect]:
    """Recordings, or some of their samples, of which nothing says where they went."""
    if accounts is None or tables.plan is None:
        return
    for recording_id, each in accounts.items():
        if not each.balances:
            text = f"recording {recording_id}: of {each}: {each.lost:,} are unaccounted for"
            yield Defect(RECORDINGS_FILE, text, tables.windows_with(labels_file(recording_id)))
    explained = refused_recordings(tables.rejects or [])
    for recording_id in tables.plan.recordings["recording_id"].to_pylist():
        if recording_id not in accounts and recording_id not in explained:
            text = f"does not say why recording {recording_id} was refused"
            yield Defect(REJECTS_FILE, text, ())
