"""A small transcriber: which notes sound in a frame, learned from a dataset's own labels.

It is a measuring device and no more: a hidden layer of random weights, which is the same for
every dataset of the same features (Rahimi and Recht 2008, Weighted Sums of Random Kitchen Sinks),
and above it a ridge regression on the labels. That is fitted in closed form, from sums that are
kept apart for a few folds of recordings, so that no recording has to be transcribed by what was
fitted to it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.features import N_PITCHES
from training.measures.levels import level_db

CONTEXT_SECONDS = 0.07
"""How far a frame's context reaches, before it and after it."""

RANGE_DB = 80.0
"""Levels further below that of the whole spectrogram count as this far below it."""

HIDDEN_UNITS = 1_024
FOLDS = 5
RIDGE = 100.0
"""What is added to the sum of squares of each hidden unit: the weight of a few seconds of music."""

_CENTER_DB, _SCALE_DB = -60.0, 20.0
_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Transcriber:
    """Linear scores of notes: float32 `weights` [hidden units, 128] and `bias` [128]."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """A score of each MIDI note in each frame, float32 [frames, 128], from `hidden_units`.

        About 1 for a note that sounds, and 0 for one that does not.
        """
        return hidden @ self.weights + self.bias


class TranscriberFit:
    """Sums over frames that transcribers are made of. Frames are added to one of `FOLDS` folds.

    It holds 10 MB a fold, however many frames are added.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._frames = np.zeros(FOLDS)
        self._moments = np.zeros((FOLDS, HIDDEN_UNITS + N_PITCHES))
        self._products = np.zeros((FOLDS, HIDDEN_UNITS, HIDDEN_UNITS + N_PITCHES))

    def add(self, log_mel: NDArray[Any], notes: NDArray[Any], fold: int) -> None:
        """Adds `log_mel` [frames, n_mels] in dB and its `notes` [frames, 128], 0 or 1."""
        hidden = hidden_units(log_mel, self._config)
        both = np.concatenate([hidden, notes.astype(np.float32)], axis=1)
        self._frames[fold] += len(both)
        self._moments[fold] += both.sum(axis=0, dtype=np.float64)
        self._products[fold] += hidden.T @ both

    def transcriber(self, *, without: Collection[int] = ()) -> Transcriber:
        """The transcriber fitted to all folds but those in `without`.

        One that was fitted to no frame hears nothing.
        """
        kept = [fold for fold in range(FOLDS) if fold not in without]
        frames = max(1.0, self._frames[kept].sum())
        moments = self._moments[kept].sum(axis=0)
        hidden_mean, note_mean = np.split(moments / frames, [HIDDEN_UNITS])
        products = self._products[kept].sum(axis=0)
        products -= np.outer(hidden_mean, moments)
        gram, across = np.split(products, [HIDDEN_UNITS], axis=1)
        gram[np.diag_indices(HIDDEN_UNITS)] += RIDGE
        weights = np.linalg.solve(gram, across)
        bias = note_mean - hidden_mean @ weights
        return Transcriber(weights.astype(np.float32), bias.astype(np.float32))


def hidden_units(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float32]:
    """The random hidden units, float32 [frames, hidden units], of `log_mel` [frames, n_mels] in dB.

    Invariant to gain, where the features' floor does not cut off what a gain moves.
    """
    inputs = (frame_inputs(log_mel, config) - np.float32(_CENTER_DB)) / np.float32(_SCALE_DB)
    weights, bias = _random_layer(inputs.shape[1])
    hidden = inputs @ weights + bias
    return np.maximum(hidden, 0, out=hidden)


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


def balanced_threshold(sounding: NDArray[Any], scores: NDArray[Any]) -> float:
    """The threshold that as many `scores` reach as notes of `sounding` (0 or 1) sound.

    Arrays of the same shape, not empty; infinite where nothing sounds.

    Examples:
        >>> balanced_threshold(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
        0.8
    """
    count = int(sounding.sum())
    if not count:
        return float("inf")
    least = scores.size - count
    return float(np.partition(scores.ravel(), least)[least])


def average_precision(sounding: NDArray[Any], scores: NDArray[Any]) -> float | None:
    """The mean, over the notes that sound, of the precision down to each one's score.

    `sounding` (0 or 1) and `scores` have the same shape, and all cells are ranked together: the
    area under the precision-recall curve as a sum (Manning et al. 2008, Introduction to
    Information Retrieval, 8.4). The precision at equal scores is that of all of them, so that their
    order does not matter. Scores without information have the share of `sounding`; None where
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
        return None
    last_of_equals = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(truth)[last_of_equals]
    precision = found / (last_of_equals + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / found[-1])


@functools.lru_cache(maxsize=4)
def _random_layer(inputs: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights [inputs, hidden units] and biases [hidden units] of the hidden layer."""
    rng = np.random.default_rng(_SEED)
    weights = rng.normal(0, 1 / np.sqrt(inputs), (inputs, HIDDEN_UNITS))
    return weights.astype(np.float32), rng.normal(0, 0.5, HIDDEN_UNITS).astype(np.float32)
