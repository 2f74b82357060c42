"""What is wrong with one shard file. Which of its windows are whole is told by its index alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import h5py

from pipelines.verification.defects import Defect, Windows
from pipelines.verification.scan import Row, Scan
from pipelines.verification.tables import Check, DatasetShard, Tables, listed_windows
from schemas import Dataset, DatasetError
from schemas.codecs.hdf5 import window_names
from schemas.shards import ShardIndex


def shard_defects(check: Check, tables: Tables, shard: DatasetShard) -> Iterator[Defect]:
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
    yield from _byte_defects(check, shard, found, problem, rows, windows)
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
    check: Check,
    shard: DatasetShard,
    found: Scan,
    problem: str | None,
    rows: Sequence[Row],
    windows: Windows | None,
) -> Iterator[Defect]:
    """What is wrong with a shard's bytes, as precisely as its index can tell.

    `problem` is how the file differs from what the manifest says of it, if it does.
    """
    entry = check.dataset.manifest.files[shard.name]
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


def _index_problems(shard: DatasetShard, index: ShardIndex, tables: Tables) -> Iterator[str]:
    """Whether an index lists the windows that the plan puts into its shard, but for rejects."""
    if tables.plan is None:
        return
    listed = listed_windows(index)
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
