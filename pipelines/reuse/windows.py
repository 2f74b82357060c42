"""Windows of an earlier dataset, found by recording and frame."""

from __future__ import annotations

import contextlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
            index = self._indexes.get(shard)
            found = index.filter(
                (pc.field("recording_id") == recording_id)
                & (pc.field("first_frame") == first_frame)
            )
            if not found.num_rows:
                return None
            row = found.to_pylist()[0]
            with contextlib.closing(self._dataset.storage.open_ranges(shard)) as file:
                window = read_window(file, row, self._plan.config.specs(), where=shard)
        except (DamagedDataError, UnreadableFileError):
            return None
        return None if _may_be_clipped(window) else window

    def _read_index(self, shard: str) -> pa.Table:
        return self._dataset.index(shard).table


def _may_be_clipped(window: Window) -> bool:
    if "waveform" not in window.features:
        return False
    waveform, limits = window.features["waveform"], np.iinfo(np.int16)
    return bool(waveform.min() == limits.min or waveform.max() == limits.max)
