"""Batches before anything of them is read: what they hold, and which reads fetch it.

Some hundred examples are planned at once: numpy takes as long for a few as for many.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.reading.index import SplitIndex
from training.reading.order import NONE, Examples, Positions

MAX_GAP_BYTES = 4_096
"""Bytes that nobody asked for, between two that are read together: less work than another read."""

PLANNED_AT_ONCE = 512
"""Examples, unless a batch has more."""

PART_BYTES = 500
"""What the plan of a part takes: its own fields, and its share of its read and its batch."""

_MIN_MERGED_BYTES = 1 << 18


class Part(NamedTuple):
    """A feature of the window at `position`, in a shard; it belongs to some rows of a batch."""

    position: int
    rows: Sequence[int]
    feature: str
    offset: int
    nbytes: int
    crc: int


class Read(NamedTuple):
    """Parts that lie side by side in a shard, in their order, and the bytes from first to last.

    `shard` is its number in the index.
    """

    shard: int
    offset: int
    nbytes: int
    parts: Sequence[Part]

    @classmethod
    def of(cls, shard: int, parts: Sequence[Part]) -> Read:
        first, last = parts[0], parts[-1]
        return cls(shard, first.offset, last.offset + last.nbytes - first.offset, parts)


@dataclasses.dataclass(frozen=True, eq=False)
class BatchPlan:
    """A batch: its examples, what the index says of them, and its reads in the order of the files.

    Of rows without a window, `recording_ids`, `first_frames` and `valid_frames` are empty and 0.
    """

    examples: Examples
    recording_ids: NDArray[np.str_]
    first_frames: NDArray[np.int64]
    valid_frames: NDArray[np.int32]
    reads: Sequence[Read]


def plan_batches(
    index: SplitIndex,
    examples: Examples,
    sizes: Sequence[int],
    features: Sequence[str],
    crop_frames: int,
) -> list[BatchPlan]:
    """Plans the batches whose examples follow each other in `examples`, as many as `sizes` say."""
    positions, starts = examples.positions, examples.starts
    absent = positions == NONE
    ids = index.ids[index.recordings[positions]]
    first_frames = index.first_frames[positions] + starts
    valid_frames = np.clip(index.valid_frames[positions] - starts, 0, crop_frames)
    valid_frames = valid_frames.astype(np.int32)
    ids[absent], first_frames[absent], valid_frames[absent] = "", 0, 0
    plans = []
    end = 0
    for size, reads in zip(sizes, plan_reads(index, positions, sizes, features), strict=True):
        rows = slice(end, end + size)
        facts = (ids[rows].copy(), first_frames[rows].copy(), valid_frames[rows].copy())
        plans.append(BatchPlan(examples.take(rows), *facts, reads))
        end += size
    return plans


def merged_bytes(feature_bytes: Sequence[int]) -> int:
    """How long a read of several parts may be, given the bytes of each feature of a window.

    A window whose features lie side by side is one read.
    """
    gaps = MAX_GAP_BYTES * (len(feature_bytes) - 1)
    return max(_MIN_MERGED_BYTES, sum(feature_bytes) + gaps)


def plan_reads(
    index: SplitIndex, positions: Positions, sizes: Sequence[int], features: Sequence[str]
) -> list[list[Read]]:
    """The reads of batches of some sizes, each batch's in the order of the files.

    `positions` are those of the windows, row by row and batch by batch; `NONE` where there is none.
    """
    limit = merged_bytes([index.nbytes[name] for name in features])
    reads: list[list[Read]] = [[] for _ in sizes]
    run: list[Part] = []
    here, start, end = (-1, -1), 0, 0
    for batch, shard, part in _parts(index, positions, sizes, features):
        offset, stop = part.offset, part.offset + part.nbytes
        if (batch, shard) == here and 0 <= offset - end <= MAX_GAP_BYTES and stop - start <= limit:
            run.append(part)
            reads[batch][-1] = Read(shard, start, stop - start, run)
        else:
            run, here, start = [part], (batch, shard), offset
            reads[batch].append(Read(shard, start, part.nbytes, run))
        end = stop
    return reads


def _parts(
    index: SplitIndex, positions: Positions, sizes: Sequence[int], features: Sequence[str]
) -> Iterator[tuple[int, int, Part]]:
    """Each part with its batch and its shard, in the order of batches, shards and bytes."""
    batches = np.repeat(np.arange(len(sizes)), sizes)
    first_rows = np.repeat(np.cumsum(sizes) - sizes, sizes)
    present = np.flatnonzero(positions != NONE)
    # The crops of a window in a batch share its bytes.
    keys = batches[present] * len(index) + positions[present]
    distinct, slots = np.unique(keys, return_inverse=True)
    rows: list[list[int]] = [[] for _ in distinct]
    for row, slot in zip((present - first_rows[present]).tolist(), slots.tolist(), strict=True):
        rows[slot].append(row)
    of_batch, windows = np.divmod(distinct, len(index))
    count = len(features)
    offsets = np.concatenate([index.offsets[name][windows] for name in features])
    crcs = np.concatenate([index.checksums[name][windows] for name in features])
    batches = np.tile(of_batch, count)
    shards = np.tile(index.shard_numbers(windows), count)
    order = np.lexsort((offsets, shards, batches))
    columns = (batches, shards, offsets, crcs)
    numbers, slots = np.divmod(order, max(1, len(windows)))
    for batch, shard, offset, crc, number, slot, position in zip(
        *(column[order].tolist() for column in columns),
        numbers.tolist(),
        slots.tolist(),
        windows[slots].tolist(),
        strict=True,
    ):
        name = features[number]
        yield batch, shard, Part(position, rows[slot], name, offset, index.nbytes[name], crc)
