"""The memory budget of readers: what one is going to hold, in bytes, before it holds it."""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Iterator, Sequence

import numpy as np

from musicnet_duet.concurrency import available_cores
from schemas import Dataset
from schemas.shards import index_file
from schemas.storage.object_stores import MOST_REQUESTS
from training.errors import TrainingError
from training.reading.layout import FeatureLayout, layouts
from training.reading.options import ReadOptions
from training.reading.plans import PART_BYTES, PLANNED_AT_ONCE, merged_bytes

BATCHES_OF_CALLER = 3
"""The one that the caller has, the next one, and one that TensorFlow gives back late."""

_SHARD_BYTES = 200  # its name and its first position
_RECORDING_BYTES = 1_600  # its id, as long as a file name may be, in a dict and in an array
_ROW_BYTES = 96  # the columns of an index that are not a feature's, once as Arrow has them
_FEATURE_ROW_BYTES = 20  # offset, length, crc32c
_CONTIGUOUS_ROW_BYTES = 32  # the order of an epoch, and what it is sorted by
_EXAMPLE_BYTES = 1_100  # what a batch says of a row beside features: its id, for the most part
_REMOTE_COPIES = 3
"""The bytes of a request as its parts, as a whole, and where they are copied to."""

LEAST_READS = 2
"""One by a thread, and one by the caller while it waits."""

_MOST_LOCAL_READS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """The parts of a reader's memory, in bytes.

    `index`: where each window is, for as long as the reader lives. `recordings`: the ids.
    `loading`: indexes as files and one as a table, while the reader opens. `plans`: which bytes are
    to be read next. `reads`: what is read at once and does not belong to a batch yet. `batches`:
    those that are being read, that wait, and that the caller has. `copies`: what the caller said
    that it makes of them.
    """

    index: int
    recordings: int
    loading: int
    plans: int
    reads: int
    batches: int
    copies: int

    @property
    def total(self) -> int:
        return sum(dataclasses.astuple(self))

    def __add__(self, other: MemoryPlan) -> MemoryPlan:
        its = dataclasses.asdict(other)
        parts = {name: size + its[name] for name, size in dataclasses.asdict(self).items()}
        return MemoryPlan(**parts)

    def check(self, memory_bytes: int) -> None:
        """Raises `TrainingError`, with the least budget that would do, if the plan exceeds it."""
        if self.total <= memory_bytes:
            return
        parts = ", ".join(f"{name} {size:,}" for name, size in dataclasses.asdict(self).items())
        raise TrainingError(
            f"a memory budget of {memory_bytes:,} bytes is too small: this needs {self.total:,} "
            f"bytes ({parts}); give at least {math.ceil(self.total / 1e6)} MB, or make the "
            "batches smaller"
        )


@dataclasses.dataclass(frozen=True)
class Concurrency:
    """How many reads are under way at once, and for how many batches that are to come."""

    reads: int
    batches: int


def plan_memory(
    dataset: Dataset, options: Sequence[ReadOptions], memory_bytes: int, *, copies: int = 0
) -> list[tuple[Concurrency, MemoryPlan]]:
    """What readers of these options do at once and hold: as much as fits into the budget together.

    `copies` is how many arrays of four bytes a value the caller makes of each batch. Reads nothing
    but the manifest. Raises `TrainingError` where the least that they need does not fit.
    """
    for at_once in _worthwhile(dataset, options):
        plans = [
            (concurrency, _plan(dataset, each, concurrency, copies))
            for concurrency, each in zip(at_once, options, strict=True)
        ]
        total = functools.reduce(operator.add, (plan for _, plan in plans))
        if total.total <= memory_bytes:
            break
    total.check(memory_bytes)
    return plans


def _worthwhile(dataset: Dataset, options: Sequence[ReadOptions]) -> Iterator[list[Concurrency]]:
    """What each reader could do at once, from the most to the least that is worth it."""
    reads = min(available_cores(), _MOST_LOCAL_READS) if dataset.storage.is_local else MOST_REQUESTS
    while reads > LEAST_READS:
        yield [_with_next(dataset, reads, each) for each in options]
        reads //= 2
    yield [_with_next(dataset, LEAST_READS, each) for each in options]
    yield [Concurrency(LEAST_READS, 1)] * len(options)


def _with_next(dataset: Dataset, reads: int, options: ReadOptions) -> Concurrency:
    """A batch is being read while the last reads of the one before it are under way."""
    return Concurrency(reads, 1 + math.ceil(reads / _batch_examples(dataset, options)))


def _batch_examples(dataset: Dataset, options: ReadOptions) -> int:
    """The examples of the largest batch."""
    windows = dataset.manifest.splits[options.split].windows
    return min(options.batch_size, windows * options.crops_per_window)


def _plan(
    dataset: Dataset, options: ReadOptions, concurrency: Concurrency, copies: int
) -> MemoryPlan:
    summary = dataset.manifest.splits[options.split]
    files = dataset.manifest.files
    shards = dataset.shards(options.split, options.file_format)
    specs = dataset.config.specs()
    row_bytes = _ROW_BYTES + _FEATURE_ROW_BYTES * len(specs)
    rows = -(-summary.windows // max(1, summary.shards))
    window_bytes = 17 + 12 * len(options.features)
    if options.order == "contiguous":
        window_bytes += _CONTIGUOUS_ROW_BYTES
    chosen = list(layouts(dataset.config, options).values())
    example_bytes = sum(each.nbytes for each in chosen) + 4 * options.crop_frames + _EXAMPLE_BYTES
    examples = summary.windows * options.crops_per_window
    planned = min(examples, max(PLANNED_AT_ONCE, options.batch_size))
    batch_examples = _batch_examples(dataset, options)
    indexes = sorted((files[index_file(shard)].nbytes for shard in shards), reverse=True)
    return MemoryPlan(
        index=summary.windows * window_bytes + len(shards) * _SHARD_BYTES,
        recordings=summary.recordings * _RECORDING_BYTES,
        # `prefetch_map` holds two files a thread; then Parquet's pages and the table made of them.
        loading=sum(indexes[: 2 * concurrency.reads]) + 2 * rows * row_bytes,
        plans=planned * len(chosen) * PART_BYTES,
        reads=concurrency.reads * _read_bytes(chosen, is_local=dataset.storage.is_local),
        batches=(concurrency.batches + BATCHES_OF_CALLER) * batch_examples * example_bytes,
        copies=copies * batch_examples * sum(map(_tensor_bytes, chosen)),
    )


def _read_bytes(chosen: Sequence[FeatureLayout], *, is_local: bool) -> int:
    """Bytes that a read holds until they are in a batch."""
    merged = merged_bytes([each.spec.nbytes for each in chosen])
    if not is_local:
        return _REMOTE_COPIES * merged
    return 0 if all(each.is_direct for each in chosen) else merged


def _tensor_bytes(layout: FeatureLayout) -> int:
    """Bytes of one example's array once no value takes less than four bytes."""
    return math.prod(layout.shape) * max(4, np.dtype(layout.dtype).itemsize)
