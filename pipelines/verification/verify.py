"""Verifying a dataset: what is wrong with it, and which of its windows that concerns."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from musicnet_duet.concurrency import available_cores, prefetch_map
from musicnet_duet.progress import ProgressDisplay
from pipelines.build_folder import WORK_FILES
from pipelines.planning.outcome import finished_recordings, training_statistics
from pipelines.planning.plan import Plan
from pipelines.verification.accounting import (
    Account,
    accounts_of,
    add_up,
    rejected_recordings,
    rejected_windows,
)
from pipelines.verification.defects import Defect
from pipelines.verification.shard_check import shard_defects
from pipelines.verification.tables import (
    Check,
    DatasetShard,
    Tables,
    listed_windows,
    read_tables,
    shards_of,
    without_path,
)
from schemas import Dataset, DatasetError, Storage
from schemas.dataset import fingerprint
from schemas.manifest import MANIFEST_FILE, Manifest, spelled
from schemas.names import CARD_FILES, README_FILE
from schemas.rejects import rejects_table
from schemas.shards import ShardIndex
from schemas.tables import RECORDINGS_FILE, REJECTS_FILE


@dataclasses.dataclass(frozen=True)
class Verification:
    """What `verify` checked, and what is wrong. Without defects, the dataset is sound.

    Attributes:
        dataset: The folder of the dataset.
        files: How many files it has.
        windows: How many windows it has.
        nbytes: How many bytes were checked.
        samples: Where the samples of all recordings went, except those of rejected recordings;
            None if the tables that list them are missing or damaged.
        rejected_recordings: How many recordings were rejected; None as for `samples`.
        defects: What is wrong, each with its file and the affected windows.

    Examples:
        >>> from pipelines import verify
        >>> verified = verify("dataset")
        >>> verified.windows, verified.samples.balances
        (7, True)
    """

    dataset: str
    files: int
    windows: int
    nbytes: int
    samples: Account | None
    rejected_recordings: int | None
    defects: tuple[Defect, ...]

    def summary(self) -> str:
        count = len(self.defects)
        verdict = f"{count} defect{'s' if count > 1 else ''}" if count else "sound"
        return (
            f"{self._samples_text()}\n{self.dataset}: {verdict}; {self.files:,} files, "
            f"{self.windows:,} windows, {self.nbytes / 1e6:,.1f} MB checked"
        )

    def _samples_text(self) -> str:
        if self.samples is None:
            return "samples were not counted: tables that tell of them are missing or damaged"
        rejected = f"{self.rejected_recordings:,} recording{'s' * (self.rejected_recordings != 1)}"
        return f"{self.samples}, {rejected} rejected; {self.samples.padding:,} of padding"


def verify(root: str) -> Verification:
    """Checks every byte of a dataset. Defects are in the result, never exceptions.

    Args:
        root: The folder or URL of the dataset.

    Returns:
        What was checked, and the defects.

    Raises:
        StoreError: If a store fails.
        DatasetError: If a store does not have the bucket.

    Examples:
        >>> from pathlib import Path
        >>> from pipelines import verify
        >>> Path("dataset/rejects.parquet").unlink()
        >>> for defect in verify("dataset").defects:
        ...     print(defect)
        rejects.parquet: is missing; concerns no window
    """
    Storage(root).require_store()
    try:
        dataset = Dataset(root)
        present = frozenset(dataset.storage.list_files())
    except (DatasetError, OSError) as error:
        where = f"{root.rstrip('/')}/{MANIFEST_FILE}"
        defect = Defect(MANIFEST_FILE, without_path(error, where), None)
        return Verification(root, 0, 0, 0, None, None, (defect,))
    files = dataset.manifest.files
    total = sum(entry.nbytes for entry in files.values())
    with ProgressDisplay("verifying", unit="bytes", total=total) as bar:
        lock = threading.Lock()

        def progress(nbytes: int) -> None:
            with lock:
                bar.update(nbytes)

        check = Check(dataset, present, progress)
        tables, defects = read_tables(check)

        def defects_of(shard: DatasetShard) -> list[Defect]:
            return list(shard_defects(check, tables, shard))

        shards = shards_of(dataset.manifest)
        for found in prefetch_map(defects_of, shards, threads=available_cores()):
            defects += found
        bar.update(total - bar.done)
    defects += [*_manifest_defects(dataset), *_extra_defects(check), *_total_defects(check, tables)]
    accounts = _accounts(tables, dataset.manifest)
    defects += _account_defects(tables, accounts)
    return Verification(
        dataset=root,
        files=len(files) + 1,
        windows=sum(split.windows for split in dataset.manifest.splits.values()),
        nbytes=total,
        samples=None if accounts is None else add_up(accounts.values()),
        rejected_recordings=_rejected_count(tables, accounts),
        defects=tuple(defects),
    )


def _manifest_defects(dataset: Dataset) -> Iterator[Defect]:
    """Whether the manifest is spelled as it was written: its digest is of what it says only."""
    data = dataset.storage.read_bytes(MANIFEST_FILE)
    if data != spelled(json.loads(data)):
        text = "is not spelled as it was written, though it says the same"
        yield Defect(MANIFEST_FILE, text, None)


def _extra_defects(check: Check) -> Iterator[Defect]:
    # What a run needed stays where its launcher was gone before its end.
    # A README that is not ours is what people write about the dataset themselves.
    known = {*check.dataset.manifest.files, MANIFEST_FILE, *WORK_FILES, README_FILE}
    for name in sorted(check.present - known):
        # One that was killed leaves cards that the manifest does not list yet.
        remedy = "run duet card again, or remove it" if name in CARD_FILES else "remove it"
        yield Defect(name, f"does not belong to the dataset; {remedy}", ())


def _total_defects(check: Check, tables: Tables) -> Iterator[Defect]:
    """Whether the manifest and the tables say what the shards sum up to, in each format."""
    manifest, plan = check.dataset.manifest, tables.plan
    if plan is None:
        return
    if plan.digest != manifest.plan_digest:
        yield Defect(MANIFEST_FILE, f"its plan is not that of {RECORDINGS_FILE}", None)
    for indexes in _complete_formats(tables, manifest):
        yield from _sum_defects(manifest, plan, tables.rejects, indexes)
    yield from _format_defects(tables, shards_of(manifest))


def _complete_formats(tables: Tables, manifest: Manifest) -> Iterator[dict[str, ShardIndex]]:
    """The indexes of each format without a damaged one, by shard."""
    for file_format in manifest.formats:
        names = [each.name for each in shards_of(manifest) if each.file_format == file_format]
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
        yield Defect(REJECTS_FILE, "lacks windows that a shard rejected", ())


def _format_defects(tables: Tables, shards: Sequence[DatasetShard]) -> Iterator[Defect]:
    """Whether all formats hold the same windows, in the same order, with equal bytes."""
    firsts: dict[tuple[str, int], DatasetShard] = {}
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


def _accounts(tables: Tables, manifest: Manifest) -> dict[str, Account] | None:
    """Each recording's account, by its id; None where damaged tables leave that open."""
    indexes = next(_complete_formats(tables, manifest), None)
    if tables.plan is None or tables.rejects is None or indexes is None:
        return None
    rows = tables.plan.recordings.to_pylist()
    stored = [
        (name, first) for index in indexes.values() for name, first, _ in listed_windows(index)
    ]
    return accounts_of(rows, stored, rejected_windows(tables.rejects), manifest.config)


def _rejected_count(tables: Tables, accounts: Mapping[str, Account] | None) -> int | None:
    """Recordings that were rejected as a whole; others may have lost their labels only."""
    if accounts is None or tables.rejects is None:
        return None
    return len(rejected_recordings(tables.rejects) - set(accounts))


def _account_defects(tables: Tables, accounts: Mapping[str, Account] | None) -> Iterator[Defect]:
    """Recordings that are unaccounted for, in full or in part."""
    if accounts is None or tables.plan is None:
        return
    for recording_id, each in accounts.items():
        if not each.balances:
            text = f"recording {recording_id}: of {each}: {each.lost:,} are unaccounted for"
            yield Defect(RECORDINGS_FILE, text, tables.windows_of_recording(recording_id))
    explained = rejected_recordings(tables.rejects or [])
    for recording_id in tables.plan.recording_ids:
        if recording_id not in accounts and recording_id not in explained:
            text = f"does not say why recording {recording_id} was rejected"
            yield Defect(REJECTS_FILE, text, ())
