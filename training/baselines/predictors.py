"""Predictions of the next frame: of persistence, and of a linear chain with full covariance."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.baselines.residual import Residual
from training.baselines.scoring import SCORED_FROM
from training.grid import dequantize

RIDGE_DB2 = 0.1
"""The variance, in dB^2, of noise that weights are fitted as if every regressor had it: half a
step of the grid is 0.02."""


class Predictor(Protocol):
    """What predicts each level from the frames before, and from lower bins of the same frame."""

    def mean_db(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        """The means of the scored frames of a window [frames, n_mels]: [frames - 2, n_mels]."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Predicted:
    """A predictor with the distribution of its errors: a baseline."""

    predictor: Predictor
    residual: Residual

    def bits(self, levels: NDArray[Any]) -> NDArray[np.float32]:
        """-log2 p of the scored frames of one window: float32 [frames - 2, n_mels]."""
        return self.residual.bits(levels[SCORED_FROM:], self.predictor.mean_db(levels))


class Persistence:
    """The next frame is as the last one."""

    def mean_db(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        return dequantize(levels[SCORED_FROM - 1 : -1]).astype(np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class LinearChain:
    """Each bin is linear in the bins below it and in all bins of the two frames before.

    `weights` float64 [n_mels, 3 * n_mels] are those of the frame two before, of the one before, and
    of the frame itself, 0 on and above its diagonal; `bias` float64 [n_mels] is in dB.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def mean_db(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        return contexts(levels) @ self.weights.T + self.bias


class LinearChainFit:
    """Ridge regressions from sums of products in float64, so that no frame has to be kept.

    All bins' regressions come from one Cholesky factor L of the covariance of a frame after the two
    frames before it: with D the diagonal of L, the rows of (L / D)^-1 give each variable's distance
    from its regression on those before it (Pourahmadi 1999). It holds 72 * n_mels^2 bytes.
    """

    def __init__(self, n_mels: int) -> None:
        self._n_mels = n_mels
        self._frames = 0
        self._moments = np.zeros(3 * n_mels)
        self._products = np.zeros((3 * n_mels, 3 * n_mels))

    def add(self, levels: NDArray[Any]) -> None:
        rows = contexts(levels)
        self._frames += len(rows)
        self._moments += rows.sum(axis=0)
        self._products += rows.T @ rows

    def result(self) -> LinearChain:
        """The chain of all frames that were added; of none, it predicts 0 dB."""
        frames = max(1, self._frames)
        mean = self._moments / frames
        covariance = self._products / frames - np.outer(mean, mean)
        covariance[np.diag_indices(len(mean))] += RIDGE_DB2
        factor = np.linalg.cholesky(covariance)
        own = slice(2 * self._n_mels, None)
        innovations = np.linalg.inv(factor / np.diag(factor))
        weights = -np.asarray(innovations[own], np.float64)
        weights[:, own] = np.tril(weights[:, own], -1)
        bias: NDArray[np.float64] = mean[own] - weights @ mean
        return LinearChain(weights, bias)


def contexts(levels: NDArray[Any]) -> NDArray[np.float64]:
    """Each scored frame after the two before it, in dB: float64 [frames - 2, 3 * n_mels]."""
    db = dequantize(levels).astype(np.float64)
    count = max(0, len(db) - SCORED_FROM)
    return np.concatenate([db[first : first + count] for first in range(SCORED_FROM + 1)], axis=1)
