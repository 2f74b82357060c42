"""A histogram of each bin's levels, whatever was before them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.baselines.scoring import SCORED_FROM
from training.grid import N_LEVELS


@dataclasses.dataclass(frozen=True, eq=False)
class Histogram:
    """How often each bin has each level: `log2_mass` float64 [n_mels, levels]."""

    log2_mass: NDArray[np.float64]

    def bits(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        """-log2 p of the scored frames of one window: float64 [frames - 2, n_mels]."""
        return -self.log2_mass[np.arange(levels.shape[1]), levels[SCORED_FROM:]]


class HistogramFit:
    """Counts levels; `smoothing` is added to every count, so that nothing is impossible."""

    def __init__(self, n_mels: int, smoothing: float = 1.0) -> None:
        self._counts = np.full((n_mels, N_LEVELS), smoothing)

    def add(self, levels: NDArray[Any]) -> None:
        bins = np.broadcast_to(np.arange(levels.shape[1]), levels[SCORED_FROM:].shape)
        np.add.at(self._counts, (bins, levels[SCORED_FROM:]), 1)

    def result(self) -> Histogram:
        return Histogram(np.log2(self._counts / self._counts.sum(axis=1, keepdims=True)))
