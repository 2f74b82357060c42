"""What notes a spectrogram seems to hold: measures of a transcriber's probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PITCH_CLASSES = 12


def polyphony(probabilities: NDArray[Any]) -> float:
    """The mean number of notes that sound at once, the expected one of `probabilities`.

    `probabilities` [frames, 128] are those of `Transcriber.note_probabilities`; labels, 0 or 1,
    give the number that they count.

    Examples:
        >>> polyphony(np.eye(128)[[60, 64]] + np.eye(128)[[67, 67]])
        2.0
    """
    return float(probabilities.sum(axis=1, dtype=np.float64).mean())


def pitch_class_histogram(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each pitch class (C first) of all that sounds: float64 [12], which sums to one.

    Uniform where nothing sounds. `probabilities` as in `polyphony`.

    Examples:
        >>> pitch_class_histogram(np.eye(128)[[60, 72, 67, 67]]).nonzero()[0].tolist()
        [0, 7]
    """
    classes = np.arange(probabilities.shape[1]) % PITCH_CLASSES
    sums = np.bincount(
        classes, weights=probabilities.sum(axis=0, dtype=np.float64), minlength=PITCH_CLASSES
    )
    return sums / sums.sum() if sums.sum() > 0 else np.full(PITCH_CLASSES, 1 / PITCH_CLASSES)


def pitch_class_bits(probabilities: NDArray[Any]) -> float:
    """The entropy of the pitch-class histogram in bits: 0 for one class, log2(12) for all alike.

    Pitch-class entropy is one of Wu and Yang's (2020, The Jazz Transformer) measures of music.

    Examples:
        >>> pitch_class_bits(np.eye(128)[[60, 60, 67, 67]])
        1.0
    """
    shares = pitch_class_histogram(probabilities)
    shares = shares[shares > 0]
    return float(np.abs((shares * np.log2(shares)).sum()))


def note_changes_per_second(probabilities: NDArray[Any], frames_per_second: float) -> float:
    """Notes that begin per second: the sum over notes of the rises of their probabilities.

    0 for one frame. `probabilities` as in `polyphony`.

    Examples:
        >>> note_changes_per_second(np.eye(128)[[60, 60, 67, 67]], frames_per_second=3.0)
        1.0
    """
    if len(probabilities) < 2:
        return 0.0
    rises = np.maximum(np.diff(probabilities.astype(np.float64), axis=0), 0).sum(axis=1)
    return float(rises.mean() * frames_per_second)
