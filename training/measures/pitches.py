"""What notes a spectrogram seems to hold: measures of a piano roll."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PITCH_CLASSES = 12
MANY_NOTES = 8


def polyphony(notes: NDArray[Any]) -> float:
    """The mean number of notes that sound at once. `notes` [frames, 128] are 0 or 1.

    Examples:
        >>> polyphony(np.eye(128)[[60, 64]] + np.eye(128)[[67, 67]])
        2.0
    """
    return float(notes.sum(axis=1, dtype=np.float64).mean())


def polyphony_histogram(notes: NDArray[Any]) -> NDArray[np.float64]:
    """The shares of frames in which 0, 1, ..., 7, and 8 notes or more sound: float64 [9].

    Examples:
        >>> polyphony_histogram(np.eye(128)[[60, 64]])[:3].tolist()
        [0.0, 1.0, 0.0]
    """
    counts = np.minimum(notes.sum(axis=1, dtype=np.int64), MANY_NOTES)
    return np.bincount(counts, minlength=MANY_NOTES + 1) / len(counts)


def pitch_class_histogram(notes: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each pitch class (C first) of all that sounds: float64 [12], which sums to one.

    Uniform where nothing sounds. `notes` as in `polyphony`.

    Examples:
        >>> pitch_class_histogram(np.eye(128)[[60, 72, 67, 67]]).nonzero()[0].tolist()
        [0, 7]
    """
    classes = np.arange(notes.shape[1]) % PITCH_CLASSES
    sums = np.bincount(
        classes, weights=notes.sum(axis=0, dtype=np.float64), minlength=PITCH_CLASSES
    )
    return sums / sums.sum() if sums.sum() > 0 else np.full(PITCH_CLASSES, 1 / PITCH_CLASSES)


def pitch_class_bits(notes: NDArray[Any]) -> float:
    """The entropy of the pitch-class histogram in bits: 0 for one class, log2(12) for all alike.

    Pitch-class entropy is one of Wu and Yang's (2020, The Jazz Transformer) measures of music.

    Examples:
        >>> pitch_class_bits(np.eye(128)[[60, 60, 67, 67]])
        1.0
    """
    shares = pitch_class_histogram(notes)
    shares = shares[shares > 0]
    return float(np.abs((shares * np.log2(shares)).sum()))


def note_changes_per_second(notes: NDArray[Any], frames_per_second: float) -> float:
    """Notes that begin per second, those of the first frame left out; 0 for one frame.

    `notes` as in `polyphony`.

    Examples:
        >>> note_changes_per_second(np.eye(128)[[60, 60, 67, 67]], frames_per_second=3.0)
        1.0
    """
    if len(notes) < 2:
        return 0.0
    begins = np.maximum(np.diff(notes.astype(np.float64), axis=0), 0).sum(axis=1)
    return float(begins.mean() * frames_per_second)
