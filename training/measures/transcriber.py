"""A small transcriber: which notes sound in a frame, learned from a dataset's own labels.

It is a measuring device and no more: a network of one hidden layer, trained in seconds by
`transcriber_training`. Here is what it computes, in numpy alone.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from schemas import FeatureConfig
from training.measures.levels import level_db

CONTEXT_SECONDS = 0.07
"""How far a frame's context reaches, before it and after it."""

RANGE_DB = 80.0
"""Levels further below that of the whole spectrogram count as this far below it."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Transcriber:
    """The network: float32 arrays. `frame_inputs` makes its inputs.

    Attributes:
        config: The features of the spectrograms that it was trained on.
        mean: The mean of each input over the training frames [inputs].
        scale: What each input is divided by after that [inputs].
        hidden_weights: [inputs, hidden units].
        hidden_bias: [hidden units].
        note_weights: [hidden units, 128].
        note_bias: [128].
    """

    config: FeatureConfig
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden_weights: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    note_weights: NDArray[np.float32]
    note_bias: NDArray[np.float32]

    def embed(self, log_mel: NDArray[Any]) -> NDArray[np.float32]:
        """The hidden units, float32 [frames, hidden units], of `log_mel` [frames, n_mels] in dB.

        Invariant to gain, where the features' floor does not cut off what a gain moves.
        """
        inputs = (frame_inputs(log_mel, self.config) - self.mean) / self.scale
        return np.maximum(inputs @ self.hidden_weights + self.hidden_bias, 0)

    def note_probabilities(self, log_mel: NDArray[Any]) -> NDArray[np.float32]:
        """The probability that each MIDI note sounds in each frame, float32 [frames, 128]."""
        return expit(self.embed(log_mel) @ self.note_weights + self.note_bias)


def frame_inputs(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float32]:
    """Each frame with its context, in dB: float32 [frames, context frames * n_mels].

    Levels are relative to that of the whole spectrogram, at least -80 dB. Beyond its ends its first
    and last frames are repeated.
    """
    relative = np.maximum(log_mel - level_db(log_mel, config), -RANGE_DB).astype(np.float32)
    reach = context_frames(config)
    padded = np.pad(relative, [(reach, reach), (0, 0)], mode="edge")
    shifted = [padded[first : first + len(log_mel)] for first in range(2 * reach + 1)]
    return np.concatenate(shifted, axis=1)


def context_frames(config: FeatureConfig) -> int:
    """The frames of context on either side of a frame."""
    return round(CONTEXT_SECONDS * config.frames_per_second)


def average_precision(sounding: NDArray[Any], scores: NDArray[Any]) -> float:
    """The mean, over the notes that sound, of the precision down to each one's score.

    `sounding` (0 or 1) and `scores` have the same shape, and all cells are ranked together: the
    area under the precision-recall curve as a sum (Manning et al. 2008, Introduction to
    Information Retrieval, 8.4). The precision at equal scores is that of all of them, so that their
    order does not matter. Scores without information have the share of `sounding`; NaN where
    nothing sounds.

    Examples:
        >>> average_precision(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
        0.8333333333333333
        >>> average_precision(np.array([1, 0, 0, 0]), np.zeros(4))
        0.25
    """
    order = np.argsort(-scores.ravel(), kind="stable")
    ranked, truth = scores.ravel()[order], sounding.ravel()[order].astype(np.float64)
    if not truth.any():
        return float("nan")
    last_of_equals = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(truth)[last_of_equals]
    precision = found / (last_of_equals + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / found[-1])
