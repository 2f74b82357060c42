"""Windows of an earlier dataset, found by recording and frame."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.memory_cache import MemoryCache
from pipelines.planning.published import published_plan
from pipelines.reuse.earlier import EarlierDataset
from schemas import Window
from schemas.errors import DamagedDataError, UnreadableFileError
from schemas.shards import shard_file
from schemas.windows import read_window

_REMEMBERED_INDEXES = 64 << 20
"""Bytes; those of all MusicNet take fewer. Windows of a shard come from any shard."""


class EarlierWindows:
    """The windows of a dataset that was made before.

    Where a window lies follows from the dataset's plan, so that only indexes are held, up to a
    number of bytes. Raises as `EarlierDataset.open`.
    """

    def __init__(self, earlier: EarlierDataset) -> None:
        self._dataset = earlier.open()
        self._plan = published_plan(self._dataset)
        self._numbers = {name: row for row, name in enumerate(self._plan.recording_ids)}
        self._indexes = MemoryCache(self._read_index, limit_bytes=_REMEMBERED_INDEXES)

    def find(self, recording_id: str, first_frame: int) -> Window | None:
        """The window of a recording that the dataset holds, if it is to be had from there.

        None for one that was rejected, is damaged, or may have been clipped: by how much, the
        dataset does not say.
        """
        split, number = self._plan.place(self._numbers[recording_id], first_frame)
        shard = shard_file(
            split, number, self._plan.shards[split], self._dataset.manifest.formats[0]
        )
        try:
            row = _row_of(self._indexes.get(shard), recording_id, first_frame)
            if row is None:
                return None
            with contextlib.closing(self._dataset.storage.open_ranges(shard)) as file:
                window = read_window(file, row, self._plan.config.specs(), where=shard)
        except (DamagedDataError, UnreadableFileError):
            return None
        return None if _may_be_clipped(window) else window

    def _read_index(self, shard: str) -> pa.Table:
        return self._dataset.index(shard).table.combine_chunks()


def _row_of(index: pa.Table, recording_id: str, first_frame: int) -> dict[str, Any] | None:
    """The row of a window in the table of an index. Few windows of a shard have one first frame."""
    for row in np.flatnonzero(index["first_frame"].to_numpy() == first_frame):
        if index["recording_id"][row].as_py() == recording_id:
            return index.slice(row, 1).to_pylist()[0]
    return None


def _may_be_clipped(window: Window) -> bool:
    if "waveform" not in window.features:
        return False
    waveform, limits = window.features["waveform"], np.iinfo(np.int16)
    return bool(waveform.min() == limits.min or waveform.max() == limits.max)
