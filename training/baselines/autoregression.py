"""A linear autoregression of each bin on its own past, with Gaussian errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from training.baselines.scoring import SCORED_FROM
from training.grid import N_LEVELS, STEP_DB, dequantize

_MIN_STD_DB = 0.25


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
