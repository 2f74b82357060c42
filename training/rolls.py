"""Notes in seconds on the frames of piano rolls, and back, by the rule of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.features import LABEL_RATE
from schemas.notes import NoteFrames
from training.midi import Note


def note_frames(notes: Sequence[Note], config: FeatureConfig) -> NoteFrames:
    """Notes on frames, after their times were rounded to 1/44,100 s.

    Examples:
        >>> from schemas import PRESETS
        >>> found = note_frames([Note(0.0, 0.1, 60)], PRESETS["librosa"])
        >>> found.pitch.tolist(), found.start.tolist(), found.stop.tolist()
        ([60], [0], [5])
    """
    times = np.array([(note.start, note.end) for note in notes]).reshape(-1, 2) * LABEL_RATE
    start, end = np.round(times).astype(np.int64).T
    pitch = np.array([note.pitch for note in notes], np.int64)
    unknown = np.zeros_like(pitch)
    return NoteFrames.of(start, end, pitch, unknown, config=config)


def notes_of_rolls(
    notes: NDArray[Any], onsets: NDArray[Any], frames_per_second: float
) -> list[Note]:
    """The notes, sorted, of two piano rolls [frames, 128]: where notes sound, and where they begin.

    A roll of a dataset says what is so at the centers of frames, so starts and ends are taken to
    lie half a frame before them, where rounding does not matter: `note_frames` gives the rolls
    again. A note that begins without sounding lasts for a frame.
    """
    goes_on = (notes != 0) & (onsets == 0)
    found = []
    for start, pitch in zip(*np.nonzero(onsets), strict=True):
        rest = goes_on[start + 1 :, pitch]
        length = 1 + (len(rest) if rest.all() else int(rest.argmin()))
        seconds = np.maximum(0.0, np.array([start, start + length]) - 0.5) / frames_per_second
        found.append(Note(float(seconds[0]), float(seconds[1]), int(pitch)))
    return sorted(found)
