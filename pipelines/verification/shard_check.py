"""What is wrong with one shard file. Its index alone says which of its windows are whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.verification.defects import Defect, Windows
from pipelines.verification.scan import Scan
from pipelines.verification.tables import Check, DatasetShard, Tables, listed_windows
from schemas import DatasetError
from schemas.codecs import CODECS
from schemas.codecs.base import Row
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
    codec, specs = CODECS[shard.file_format], check.dataset.config.specs()
    for text in codec.problems(check.dataset.storage, shard.name, rows, specs):
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
        are = "is" if len(found.damaged) == 1 else "are"
        text = f"{len(found.damaged)} of its {len(rows)} windows {are} damaged, first {first}"
        concerned = [rows[number] for number in sorted(found.damaged)]
        names = tuple((row["recording_id"], row["first_frame"]) for row in concerned)
        yield Defect(shard.name, f"{problem}; {text}" if problem else text, names)
    elif problem and found.sha256_of_start != entry.sha256:
        yield Defect(shard.name, f"{problem}, outside the windows' features", windows)
    if found.nbytes > found.end:
        yield Defect(shard.name, f"{found.nbytes - found.end:,} bytes too many at its end", ())


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
