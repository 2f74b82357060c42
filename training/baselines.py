"""Baselines, which any model has to beat: two probability masses on the grid, fitted in one pass.

Both take windows as the grid indices of their valid frames, integers [frames, n_mels], and score
the frames from `SCORED_FROM` on, given those before: the same frames as any model is scored on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from training.grid import N_LEVELS, STEP_DB, dequantize

SCORED_FROM = 2
"""The first frame of a window that has the two frames before it that the autoregression needs."""

_MIN_STD_DB = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Histogram:
    """How often each bin has each level: `log2_mass` float64 [n_mels, levels]."""

    log2_mass: NDArray[np.float64]

    def bits(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        """-log2 p of the scored frames of one window: float64 [frames - 2, n_mels]."""
        return -self.log2_mass[np.arange(levels.shape[1]), levels[SCORED_FROM:]]


@dataclasses.dataclass(frozen=True, eq=False)
class Autoregression:
    """A bin's level as a linear function of its last two, with Gaussian errors.

    `weights` float64 [n_mels, 3]: constant (dB), last level, the one before; `std_db` [n_mels].
    """

    weights: NDArray[np.float64]
    std_db: NDArray[np.float64]

    def bits(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        """-log2 p of the scored frames of one window: float64 [frames - 2, n_mels]."""
        mean = np.einsum("tmi,mi->tm", _regressors(levels), self.weights)
        return -gaussian_log_mass(levels[SCORED_FROM:], mean, self.std_db) / np.log(2)


class HistogramFit:
    """Counts levels; `smoothing` is added to every count, so that nothing is impossible."""

    def __init__(self, n_mels: int, smoothing: float = 1.0) -> None:
        self._counts = np.full((n_mels, N_LEVELS), smoothing)

    def add(self, levels: NDArray[Any]) -> None:
        bins = np.broadcast_to(np.arange(levels.shape[1]), levels[SCORED_FROM:].shape)
        np.add.at(self._counts, (bins, levels[SCORED_FROM:]), 1)

    def result(self) -> Histogram:
        return Histogram(np.log2(self._counts / self._counts.sum(axis=1, keepdims=True)))


class AutoregressionFit:
    """Least squares from sums of products in float64, so that no frame has to be kept."""

    def __init__(self, n_mels: int) -> None:
        self._frames = 0
        self._gram = np.zeros((n_mels, 3, 3))
        self._moment = np.zeros((n_mels, 3))
        self._square = np.zeros(n_mels)

    def add(self, levels: NDArray[Any]) -> None:
        if len(levels) <= SCORED_FROM:
            return
        past, now = _regressors(levels), dequantize(levels[SCORED_FROM:]).astype(np.float64)
        self._frames += len(now)
        self._gram += np.einsum("tmi,tmj->mij", past, past)
        self._moment += np.einsum("tmi,tm->mi", past, now)
        self._square += np.einsum("tm,tm->m", now, now)

    def result(self) -> Autoregression:
        weights = np.einsum("mij,mj->mi", np.linalg.pinv(self._gram, hermitian=True), self._moment)
        explained = 2 * np.einsum("mi,mi->m", weights, self._moment) - np.einsum(
            "mi,mij,mj->m", weights, self._gram, weights
        )
        variance = (self._square - explained) / max(1, self._frames)
        return Autoregression(weights, np.sqrt(np.maximum(variance, _MIN_STD_DB**2)))


def fit_baselines(windows: Iterable[NDArray[Any]], n_mels: int) -> tuple[Histogram, Autoregression]:
    """Both baselines, from one pass over the training split."""
    histogram, autoregression = HistogramFit(n_mels), AutoregressionFit(n_mels)
    for levels in windows:
        histogram.add(levels)
        autoregression.add(levels)
    return histogram.result(), autoregression.result()


def gaussian_log_mass(
    levels: NDArray[Any], mean_db: NDArray[np.float64], std_db: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Natural logarithm of a Gaussian's mass within half a step of a level, tails at the edges.

    log(Phi(b) - Phi(a)) = log Phi(b) + log(1 - exp(log Phi(a) - log Phi(b))), on the side of the
    mean where both are small: finite wherever the level is.
    """
    distance = dequantize(levels) - mean_db
    lower = np.where(levels == 0, -np.inf, (distance - STEP_DB / 2) / std_db)
    upper = np.where(levels == N_LEVELS - 1, np.inf, (distance + STEP_DB / 2) / std_db)
    above = lower > 0
    lower, upper = np.where(above, -upper, lower), np.where(above, -lower, upper)
    log_upper = log_ndtr(upper)
    return log_upper + np.log(-np.expm1(log_ndtr(lower) - log_upper))


def _regressors(levels: NDArray[Any]) -> NDArray[np.float64]:
    """1, the last level and the one before, of every scored frame: [frames - 2, n_mels, 3]."""
    db = dequantize(levels).astype(np.float64)
    return np.stack([np.ones_like(db[2:]), db[1:-1], db[:-2]], axis=-1)
