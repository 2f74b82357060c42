"""Piano rolls of a dataset, window by window."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset
from training.composing.states import states_of
from training.reading.opening import open_splits, require_stored
from training.reading.reader import Reader

ROLLS = ("notes", "onsets")


@dataclasses.dataclass(frozen=True, eq=False)
class Roll:
    """The valid frames of a window: `notes` and `onsets`, uint8 [frames, 128]."""

    recording_id: str
    first_frame: int
    notes: NDArray[np.uint8]
    onsets: NDArray[np.uint8]

    def states(self, pitches: tuple[int, int]) -> NDArray[np.int32]:
        """The states of the pitches, int32 [frames, n_pitches]; see `states.states_of`."""
        found: NDArray[np.int32] = states_of(self.notes, self.onsets, pitches).numpy()
        return found

    def onsets_outside(self, pitches: tuple[int, int]) -> int:
        """The number of onsets of other pitches."""
        low, high = pitches
        return int(self.onsets[:, :low].sum() + self.onsets[:, high + 1 :].sum())


def open_rolls(
    dataset: Dataset,
    splits: Sequence[str],
    *,
    batch_size: int,
    memory_bytes: int,
    seed: int = 0,
) -> list[Reader]:
    """Readers of the notes and onsets of several splits, within the budget together.

    Raises `TrainingError` where the dataset has none, and as `open_dataset` does.
    """
    require_stored(dataset, ROLLS)
    return open_splits(
        dataset, splits, batch_size=batch_size, memory_bytes=memory_bytes, seed=seed, features=ROLLS
    )


def rolls(reader: Reader) -> Iterator[Roll]:
    """The windows in the order of the files, without those that are damaged."""
    for batch in reader.in_order():
        columns = (batch[name] for name in ("recording_id", "first_frame", *ROLLS, "valid_frames"))
        for name, first, notes, onsets, valid in zip(*columns, strict=True):
            yield Roll(str(name), int(first), notes[:valid], onsets[:valid])
