"""The windows of a dataset to measure by: all of a split, or a bounded selection."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset
from training.measures.real_music import RealWindow
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.works import works_by_recording

MAX_WINDOWS = 160
"""Real music is measured on about this many windows, a fixed cost whatever the dataset."""


def open_real_music(
    dataset: Dataset, splits: Collection[str], *, memory_bytes: int
) -> dict[str, Reader]:
    """Readers of levels, and of notes and onsets where there are any, of splits with windows.

    Raises as `open_dataset` does.
    """
    kept = [each for each in splits if dataset.manifest.splits[each].windows]
    features = [each for each in ("log_mel", "notes", "onsets") if each in dataset.config.features]
    readers = open_splits(dataset, kept, batch_size=1, memory_bytes=memory_bytes, features=features)
    return dict(zip(kept, readers, strict=True))


def real_windows(readers: Sequence[Reader], count: int) -> list[RealWindow]:
    """About `count` windows, evenly spread over the files, without those that are damaged.

    The readers are of one dataset.
    """
    total = sum(map(len, readers))
    works = works_by_recording(readers[0].dataset) if readers else {}
    windows = []
    for reader in readers:
        share = min(len(reader), round(count * len(reader) / max(1, total)))
        for position in np.linspace(0, len(reader) - 1, share).round().astype(int):
            item = reader.get(int(position))
            if item is not None:
                valid = item["valid_frames"]
                notes, onsets = (
                    item[roll][:valid] if roll in item else None for roll in ("notes", "onsets")
                )
                name, log_mel = str(item["recording_id"]), item["log_mel"][:valid]
                windows.append(RealWindow(name, works[name], log_mel, notes, onsets))
    return windows


def valid_windows(reader: Reader) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each window's recording, and its valid frames in dB: float32 [frames, n_mels]."""
    for batch in reader.in_order():
        rows = zip(batch["recording_id"], batch["log_mel"], batch["valid_frames"], strict=True)
        for name, log_mel, valid in rows:
            yield str(name), log_mel[:valid]


def damage(readers: Mapping[str, Reader]) -> tuple[tuple[str, ...], int]:
    """Lines about some of the damaged windows that readers met, and the number of all."""
    lines = tuple(line for reader in readers.values() for line in reader.damaged)
    return lines, sum(reader.damaged_count for reader in readers.values())
