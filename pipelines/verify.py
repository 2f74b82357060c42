"""Verifying a dataset: every digest, checksum, count and schema, and both formats' agreement."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import pyarrow as pa
from tqdm import tqdm

from pipelines.plan import Plan
from pipelines.publish import finished_recordings, training_statistics
from schemas import Dataset, DatasetError
from schemas.checksums import sha256_of_file
from schemas.dataset import fingerprint
from schemas.hdf5 import window_names
from schemas.manifest import MANIFEST_FILE
from schemas.shards import SPLITS, ShardIndex, ShardReport, read_window, rejects_table
from schemas.statistics import Statistics
from schemas.storage import RangeReader
from schemas.tfrecord import example_bytes, read_records


@dataclasses.dataclass(frozen=True)
class Verification:
    """What was looked at and what is wrong, a line each; no defects: the dataset is sound."""

    dataset: str
    files: int
    windows: int
    nbytes: int
    defects: tuple[str, ...]

    def summary(self) -> str:
        verdict = f"{len(self.defects)} defects" if self.defects else "sound"
        return (
            f"{self.dataset}: {verdict}; {self.files:,} files, {self.windows:,} windows, "
            f"{self.nbytes / 1e6:,.1f} MB checked"
        )


def verify(root: str) -> Verification:
    """Checks the dataset in `root`. Defects are in the result, never exceptions."""
    try:
        dataset = Dataset(root)
    except DatasetError as error:
        return Verification(root, 0, 0, 0, (str(error),))
    files = dataset.manifest.files
    total = sum(entry.nbytes for entry in files.values())
    # Every file is read for its digest, and then shards once more for what they say.
    with tqdm(
        total=2 * total, desc="verifying", unit="B", unit_scale=True, dynamic_ncols=True
    ) as bar:
        in_files = dict(_file_defects(dataset, bar))
        defects = [f"{name}: {text}" for name, text in in_files.items()]
        defects += _content_defects(dataset, set(in_files), bar)
        bar.update(2 * total - bar.n)
    windows = sum(split.windows for split in dataset.manifest.splits.values())
    return Verification(root, len(files) + 1, windows, total, tuple(defects))


def _file_defects(dataset: Dataset, bar: Any) -> Iterator[tuple[str, str]]:
    """Names of files that are missing, too many, or not the bytes that were written, and why."""
    storage = dataset.storage
    expected = dataset.manifest.files
    present = set(storage.list_files())
    for name in sorted(present - set(expected) - {MANIFEST_FILE}):
        yield name, "does not belong to the dataset; remove it"
    for name, entry in expected.items():
        bar.update(entry.nbytes)
        if name not in present:
            yield name, "is missing"
            continue
        size = storage.size(name)
        if size != entry.nbytes:
            yield name, f"has {size} bytes instead of {entry.nbytes}"
            continue
        with storage.open(name) as file:
            if sha256_of_file(file) != entry.sha256:
                yield name, f"differs from its sha256 in {MANIFEST_FILE}"


def _content_defects(dataset: Dataset, damaged: set[str], bar: Any) -> list[str]:
    """What the files say, held against the plan, the manifest and each other."""
    manifest = dataset.manifest
    defects: list[str] = []
    try:
        plan = planned(dataset)
    except DatasetError as error:
        return [str(error)]
    if plan.digest != manifest.plan_digest:
        defects.append(f"{MANIFEST_FILE}: its plan is not that of recordings.parquet")
    by_format: list[dict[str, pa.Table]] = []
    for file_format in manifest.formats:
        reports: dict[str, ShardReport] = {}
        tables: dict[str, pa.Table] = {}
        for split in SPLITS:
            for number, shard in enumerate(dataset.shards(split, file_format)):
                try:
                    index = dataset.index(shard)
                except DatasetError as error:
                    defects.append(str(error))
                    continue
                reports[shard] = index.report
                tables[f"{split} shard {number}"] = index.table
                defects += _order_defects(shard, index, plan, split, number)
                defects += shard_defects(dataset, shard, index, file_format, shard in damaged)
                bar.update(index.report.nbytes)
        by_format.append(tables)
        if len(tables) == sum(plan.shards.values()):
            defects += _total_defects(dataset, plan, reports, list(tables.values()))
    return [*defects, *_format_defects(by_format)]


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


def _order_defects(
    shard: str, index: ShardIndex, plan: Plan, split: str, number: int
) -> Iterator[str]:
    """Whether a shard holds the windows that the plan puts there, but for its rejects."""
    ids = plan.recordings["recording_id"].to_pylist()
    refused = {(reject.recording_id, reject.position) for reject in index.report.rejects}
    expected = [
        (ids[window.recording], window.first_frame, window.valid_frames)
        for window in plan.shard_windows(split, number)
        if (ids[window.recording], window.first_frame) not in refused
    ]
    columns = ("recording_id", "first_frame", "valid_frames")
    found = list(zip(*(index.table[name].to_pylist() for name in columns), strict=True))
    if found != expected:
        yield f"{shard}: its index does not list the windows that belong there"
    if index.report.windows != len(found):
        yield f"{shard}: its report counts {index.report.windows} windows of {len(found)}"
    if index.report.plan_digest != plan.digest:
        yield f"{shard}: was written for another plan"


def shard_defects(
    dataset: Dataset, shard: str, index: ShardIndex, file_format: str, damaged: bool
) -> Iterator[str]:
    """Reads every feature of every window by its place in the index, then the file as a whole."""
    if not dataset.storage.exists(shard):
        return
    config = dataset.config
    statistics = Statistics.zero(config.n_mels)
    file = dataset.storage.open_ranges(shard)
    rows = index.table.to_pylist()
    intact = True
    try:
        for row in rows:
            try:
                window = read_window(file, row, config.specs(), where=shard)
            except DatasetError as error:
                intact = False
                yield str(error)
                continue
            if "log_mel" in config.features:
                valid = window.features["log_mel"][: window.valid_frames]
                statistics = Statistics.merge([statistics, Statistics.of(valid)], config.n_mels)
        if intact and not damaged:
            check = _tfrecord_defects if file_format == "tfrecord" else _hdf5_defects
            yield from check(dataset, shard, rows, file)
            written = index.report.statistics
            if written and written.to_dict() != statistics.to_dict():
                yield f"{shard}: its statistics are not those of its windows"
    finally:
        file.close()


def _tfrecord_defects(
    dataset: Dataset, shard: str, rows: Sequence[Mapping[str, Any]], file: RangeReader
) -> Iterator[str]:
    """Whether the records are, byte for byte, the windows of the index and nothing else."""
    count = 0
    with dataset.storage.open(shard) as records:
        try:
            for position, data in read_records(records, where=shard):
                if count < len(rows):
                    window = read_window(file, rows[count], dataset.config.specs(), where=shard)
                    if data != example_bytes(window):
                        yield f"{shard}: record at byte {position}: is not that of its index"
                count += 1
        except DatasetError as error:
            yield str(error)
            return
    if count != len(rows):
        yield f"{shard}: holds {count} records, its index {len(rows)}"


def _hdf5_defects(
    dataset: Dataset, shard: str, rows: Sequence[Mapping[str, Any]], file: RangeReader
) -> Iterator[str]:
    """Whether h5py finds the windows of the index, at the places that the index says."""
    count = len(rows)
    with dataset.storage.open(shard) as stored, h5py.File(stored, "r") as shard_file:
        for name, spec in dataset.config.specs().items():
            data = shard_file[name]
            if data.shape != (count, *spec.shape) or data.dtype != spec.dtype:
                yield f"{shard}: {name} is {data.dtype} {data.shape}"
                continue
            start = data.id.get_offset()
            offsets = [start + row * spec.nbytes for row in range(count)]
            if count and [row[f"{name}_offset"] for row in rows] != offsets:
                yield f"{shard}: {name} does not lie where its index says"
        names = [(row["recording_id"], row["first_frame"], row["valid_frames"]) for row in rows]
        if window_names(shard_file) != names:
            yield f"{shard}: names other windows than its index"


def _total_defects(
    dataset: Dataset, plan: Plan, reports: dict[str, ShardReport], tables: Sequence[pa.Table]
) -> Iterator[str]:
    """Whether what the manifest and the tables sum up is the sum of the shards."""
    manifest = dataset.manifest
    if fingerprint(manifest.config, manifest.plan_digest, tables) != manifest.fingerprint:
        yield f"{MANIFEST_FILE}: the fingerprint is not that of the windows"
    merged = training_statistics(plan, reports)
    stored = manifest.statistics
    if (merged and merged.to_dict()) != (stored and stored.to_dict()):
        yield f"{MANIFEST_FILE}: the statistics are not those of the training shards"
    for split, summary in manifest.splits.items():
        own = [report for name, report in reports.items() if name.startswith(f"{split}/")]
        if sum(report.windows for report in own) != summary.windows:
            yield f"{MANIFEST_FILE}: counts {summary.windows} windows in {split}"
    counted = finished_recordings(plan, list(reports.values()))
    if not counted.equals(plan.recordings):
        yield "recordings.parquet: its counts are not those of the shards"
    in_shards = [reject for report in reports.values() for reject in report.rejects]
    try:
        found = dataset.rejects().to_pylist()
    except DatasetError as error:
        yield str(error)
        return
    if any(row not in found for row in rejects_table(in_shards).to_pylist()):
        yield "rejects.parquet: lacks windows that a shard refused"


def _format_defects(by_format: Sequence[Mapping[str, pa.Table]]) -> Iterator[str]:
    """Whether all formats hold the same windows, in the same order, with equal bytes."""
    first, *others = by_format
    for tables in others:
        for shard, ours in first.items():
            columns = [name for name in ours.column_names if not name.endswith("_offset")]
            if shard in tables and not ours.select(columns).equals(tables[shard].select(columns)):
                yield f"{shard}: the formats differ in their windows' bytes or order"
