"""Windows of an earlier dataset, found by recording and frame."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from musicnet_duet.concurrency import computed_once
from pipelines.memory_cache import MemoryCache
from pipelines.planning.plan import plan_of_dataset
from pipelines.reuse.earlier import EarlierDataset
from schemas import Window
from schemas.errors import DamagedDataError, UnreadableFileError
from schemas.shards import shard_file
from schemas.storage.ranges import HeldRanges, RangeSource
from schemas.windows import read_window

_REMEMBERED_INDEXES = 64 << 20
"""Bytes; those of all MusicNet take fewer. Windows of a shard come from any shard."""

_WIDEST = 1.1
"""How much longer than its features a piece of a file may be that is read at once."""

_PLANNED = ("recording_id", "split", "frames", "windows", "clipped_samples")


@computed_once
def earlier_windows(earlier: EarlierDataset) -> EarlierWindows:
    """The windows of a dataset, which a process opens once; raises as `EarlierWindows`."""
    return EarlierWindows(earlier)


class EarlierWindows:
    """The windows of a dataset that was made before.

    Where a window lies follows from the dataset's plan, so that only indexes are held, up to a
    number of bytes. Every file is held against its digest in the manifest. Raises as
    `EarlierDataset.open`, and `DamagedDataError` where the table of recordings is another one.
    """

    def __init__(self, earlier: EarlierDataset) -> None:
        self._dataset = earlier.open()
        recordings = self._dataset.recordings(columns=_PLANNED, sound=True)
        manifest = self._dataset.manifest
        self._plan = plan_of_dataset(manifest, recordings, manifest.plan_digest)
        self._numbers = {name: row for row, name in enumerate(self._plan.recording_ids)}
        self._clipped = self._plan.recordings["clipped_samples"]
        self._indexes = MemoryCache(self._read_index, limit_bytes=_REMEMBERED_INDEXES)

    def find(self, recording_id: str, first_frame: int, valid_frames: int) -> Window | None:
        """The window of a recording that the dataset holds, if it is to be had from there.

        None for one that was rejected, is damaged or gone, or may have been clipped: by how much,
        the dataset says of whole recordings only.
        """
        recording = self._numbers[recording_id]
        split, number = self._plan.place(recording, first_frame)
        shard = shard_file(
            split, number, self._plan.shards[split], self._dataset.manifest.formats[0]
        )
        try:
            row = _row_of(self._indexes.get(shard), recording_id, first_frame)
            if row is None or row["valid_frames"] != valid_frames:
                return None
            window = self._read(shard, row)
        except (DamagedDataError, UnreadableFileError):
            return None
        clipped = self._clipped[recording].as_py() and _reaches_full_scale(window)
        return None if clipped else window

    def _read(self, shard: str, row: Mapping[str, Any]) -> Window:
        """Reads a window, in one request where its features lie next to each other."""
        specs = self._plan.config.specs()
        spans = [(row[f"{name}_offset"], row[f"{name}_length"]) for name in specs]
        start = min(offset for offset, _ in spans)
        length = max(offset + length for offset, length in spans) - start
        with contextlib.closing(self._dataset.storage.open_ranges(shard)) as file:
            source: RangeSource = file
            if length <= _WIDEST * sum(each for _, each in spans):
                source = HeldRanges(start, file.read(start, length))
            return read_window(source, row, specs, where=shard)

    def _read_index(self, shard: str) -> pa.Table:
        return self._dataset.index(shard, sound=True).table.combine_chunks()


def _row_of(index: pa.Table, recording_id: str, first_frame: int) -> dict[str, Any] | None:
    """The row of a window in the table of an index. Few windows of a shard have one first frame."""
    for row in np.flatnonzero(index["first_frame"].to_numpy() == first_frame):
        if index["recording_id"][row].as_py() == recording_id:
            return index.slice(row, 1).to_pylist()[0]
    return None


def _reaches_full_scale(window: Window) -> bool:
    if "waveform" not in window.features:
        return False
    waveform, limits = window.features["waveform"], np.iinfo(np.int16)
    return bool(waveform.min() == limits.min or waveform.max() == limits.max)
