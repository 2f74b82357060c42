"""From the chances that notes sound and begin in frames to notes in seconds, and back to a roll."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.features import N_PITCHES
from training.midi import Note
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


def notes_of_rolls(
    notes: NDArray[Any], onsets: NDArray[Any], frames_per_second: float
) -> list[Note]:
    """The notes, sorted, of two piano rolls [frames, 128]: where notes sound, and where they begin.

    A roll of a dataset says what is so at the centers of frames, so starts and ends are taken to
    lie half a frame before them. A note that begins without sounding lasts for a frame.
    """
    frames = len(notes)
    goes_on = (notes != 0) & (onsets == 0)
    found = []
    for start, pitch in zip(*np.nonzero(onsets), strict=True):
        rest = goes_on[start + 1 :, pitch]
        length = 1 + (len(rest) if rest.all() else int(rest.argmin()))
        end = min(frames, start + length)
        seconds = np.maximum(0.0, np.array([start, end]) - 0.5) / frames_per_second
        found.append(Note(float(seconds[0]), float(seconds[1]), int(pitch)))
    return sorted(found)


def rolls_of_notes(
    notes: Iterable[Note], frames: int, frames_per_second: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What `notes_of_rolls` gives these notes of: where they sound and begin, uint8 [frames, 128].

    What lies after the last frame is left out.
    """
    sounding = np.zeros((frames, N_PITCHES), np.uint8)
    begins = np.zeros_like(sounding)
    for note in notes:
        first, end = (int(np.ceil(each * frames_per_second)) for each in (note.start, note.end))
        sounding[first : max(end, first + 1), note.pitch] = 1
        begins[first : first + 1, note.pitch] = 1
    return sounding, begins


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
