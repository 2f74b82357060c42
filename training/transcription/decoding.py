"""From the chances that notes sound and begin in frames to notes in seconds, and back to a roll."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.midi import Note
from training.rolls import notes_of_rolls
from training.validation import real_number

PEAK_FRAMES = 2
"""A note begins where its chance of beginning is the highest within so few frames around."""


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """From which chance on a note sounds (`notes`) or begins (`onsets`): from 0 to 1.

    Raises `TrainingError` when a value is impossible.
    """

    notes: float
    onsets: float

    def __post_init__(self) -> None:
        for name in ("notes", "onsets"):
            object.__setattr__(self, name, real_number(name, getattr(self, name), 0, 1))


def decode(
    notes: NDArray[Any], onsets: NDArray[Any], thresholds: Thresholds, frames_per_second: float
) -> list[Note]:
    """The notes that are heard, sorted, from chances [frames, 128].

    A note begins where its chance of beginning has a peak that reaches its threshold, and lasts
    while its chance of sounding reaches that threshold, or until it begins anew (as in Hawthorne
    et al. 2018, Onsets and Frames). What sounds without having begun is left out.
    """
    begins = _peaks(onsets) & (onsets >= thresholds.onsets)
    return notes_of_rolls(notes >= thresholds.notes, begins, frames_per_second)


def _peaks(chances: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value exceeds those in the frames before it, and is no less than those after it."""
    padded = np.pad(chances, [(PEAK_FRAMES, PEAK_FRAMES), (0, 0)], constant_values=-np.inf)
    is_peak = np.ones(chances.shape, bool)
    for shift in range(1, PEAK_FRAMES + 1):
        first = PEAK_FRAMES - shift
        is_peak &= chances > padded[first : first + len(chances)]
        last = PEAK_FRAMES + shift
        is_peak &= chances >= padded[last : last + len(chances)]
    return is_peak
