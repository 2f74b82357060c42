"""The memory budget of readers: what one is going to hold, in bytes, before it holds it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from schemas import Dataset, FeatureSpec
from schemas.shards import index_file
from training.errors import TrainingError

BATCHES_HELD = 3
"""One that is being read, one that waits, one in the caller's hands."""

COPIES_HELD = 3
"""What becomes of a batch outside the reader: its quantized levels, their tensor, and the one
before."""

_SHARD_BYTES = 200  # its name and its first position
_RECORDING_BYTES = 512  # its id, as long as a file name may be, and an entry of a dict of ids
_ROW_BYTES = 96  # the columns of an index that are not a feature's, once as Arrow has them
_FEATURE_ROW_BYTES = 20  # offset, length, crc32c


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """The parts of a reader's memory, in bytes.

    `index`: where each window is, for as long as the reader lives. `recordings`: the ids.
    `loading`: the largest shard's index as a table, while the reader opens. `read`: one feature
    of one window as it comes from storage. `batches` and `copies`: see the constants above.
    """

    index: int
    recordings: int
    loading: int
    read: int
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


def plan_memory(
    dataset: Dataset, split: str, file_format: str, features: tuple[str, ...], batch_size: int
) -> MemoryPlan:
    """What a reader of these is going to hold, in bytes. Reads nothing but the manifest."""
    summary = dataset.manifest.splits[split]
    specs = dataset.config.specs()
    files = dataset.manifest.files
    shards = dataset.shards(split, file_format)
    row_bytes = _ROW_BYTES + _FEATURE_ROW_BYTES * len(specs)
    rows = -(-summary.windows // max(1, summary.shards))
    chosen = [specs[name] for name in features]
    return MemoryPlan(
        index=summary.windows * (16 + 12 * len(features)) + len(shards) * _SHARD_BYTES,
        recordings=summary.recordings * _RECORDING_BYTES,
        # Parquet's pages and the table that is made of them, at the same time.
        loading=max((files[index_file(shard)].nbytes for shard in shards), default=0)
        + 2 * rows * row_bytes,
        read=max(spec.nbytes for spec in chosen),
        batches=BATCHES_HELD * batch_size * sum(spec.nbytes for spec in chosen),
        copies=COPIES_HELD * batch_size * sum(_tensor_bytes(chosen)),
    )


def _tensor_bytes(specs: Iterable[FeatureSpec]) -> Iterable[int]:
    """Bytes of one window's arrays once no value takes less than four bytes."""
    return (math.prod(spec.shape) * max(4, np.dtype(spec.dtype).itemsize) for spec in specs)
