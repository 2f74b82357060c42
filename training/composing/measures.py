"""What a piano roll is like: measures of a window, and rolls that are not music."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.composing.states import HELD, SILENT, STRUCK
from training.measures.pitches import pitch_class_bits, polyphony

SHORT_PERCENT, LONG_PERCENT = 5, 95


def roll_measures(states: NDArray[np.integer], lowest: int, rate: float) -> dict[str, float]:
    """The measures of a window of states [frames, n_pitches], by name.

    `lowest` is the first MIDI pitch, and `rate` the number of frames per second. Units are in the
    names; polyphony is the mean number of notes that sound at once.
    """
    sounding = np.pad((states != SILENT).astype(np.uint8), [(0, 0), (lowest, 0)])
    lengths = note_frames(states) / rate
    percents = (50, SHORT_PERCENT, LONG_PERCENT)
    middle, short, long = np.percentile(lengths, percents) if len(lengths) else (0.0, 0.0, 0.0)
    return {
        "onsets_per_second": float((states == STRUCK).sum() / len(states) * rate),
        "polyphony": polyphony(sounding),
        "pitch_class_bits": pitch_class_bits(sounding),
        "note_seconds_median": float(middle),
        "note_seconds_p5": float(short),
        "note_seconds_p95": float(long),
    }


def note_frames(states: NDArray[np.integer]) -> NDArray[np.int64]:
    """The lengths in frames of the notes that begin in states [frames, n_pitches].

    A note lasts until its pitch falls silent or is struck again, or until the last frame.

    Examples:
        >>> note_frames(np.array([[1, 2, 1, 2], [0, 2, 0, 0]]).T).tolist()
        [2, 1, 1]
    """
    ended = np.pad(states, [(0, 1), (0, 0)], constant_values=SILENT).T.ravel()
    ends = np.flatnonzero(ended != HELD)
    starts = np.flatnonzero(ended == STRUCK)
    return ends[np.searchsorted(ends, starts, side="right")] - starts


def independent_frames(
    states: NDArray[np.integer], generator: np.random.Generator
) -> NDArray[np.int32]:
    """As many frames in which each pitch sounds with its share in `states`, whatever came before.

    A control, which measures have to distinguish from music.
    """
    shares = (states != SILENT).mean(axis=0)
    sounding = generator.random(states.shape) < shares
    before = np.concatenate([np.zeros_like(sounding[:1]), sounding[:-1]])
    return np.where(sounding, np.where(before, HELD, STRUCK), SILENT).astype(np.int32)
