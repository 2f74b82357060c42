"""How near spectrograms come to one another, and summaries of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import mel_corners
from training.measures.texture import fine_structure

_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class SpectralSummary:
    """`level_db` of the mean frame's mel power, and its spectrum's centroid and spread in Hz."""

    level_db: float
    centroid_hz: float
    spread_hz: float


def spectral_summary(log_mel: NDArray[Any], config: FeatureConfig) -> SpectralSummary:
    """Of `log_mel` [frames, n_mels] in dB. Centroid and spread are weighted by power."""
    corners = mel_corners(config)
    centers, widths = corners[1:-1], corners[2:] - corners[:-2]
    # Slaney's filters have equal areas: a bin's power is a density until its width is put back.
    power = (10 ** (log_mel.astype(np.float64) / 10)).mean(axis=0) * widths
    total = power.sum()
    centroid = (power * centers).sum() / total
    spread = np.sqrt((power * (centers - centroid) ** 2).sum() / total)
    return SpectralSummary(float(10 * np.log10(total)), float(centroid), float(spread))


class PatchSearch:
    """Compares patches with all positions of windows: 1 - r, from 0 to 2.

    r is the correlation of the fine structures (see `_fine_structure`) of a patch and of as many
    frames of a window: 1 for the same notes at the same times, however loud and through
    whatever filter, about 0 for unrelated music. (By differences in dB, or with the spectral
    envelope left in, a blur or a quiet passage would be nearer to everything than music is.)
    `patches` [n, frames, n_mels] and `mean_db` [n_mels] are in dB.
    """

    def __init__(self, patches: NDArray[Any], mean_db: NDArray[Any]) -> None:
        self._count, self._frames, n_mels = patches.shape
        self._mean_db = mean_db
        wanted = _fine_structure(patches.reshape(-1, n_mels), mean_db)
        self._wanted = wanted.reshape(self._count, self._frames, n_mels)
        self._squares = (self._wanted.astype(np.float64) ** 2).sum(axis=(1, 2))

    def distances(self, log_mel: NDArray[Any]) -> NDArray[np.float64]:
        """How near each patch comes to any position of a window [any, n_mels]: float64 [n].

        Infinite where the window is shorter than a patch.
        """
        positions = len(log_mel) - self._frames + 1
        if positions < 1:
            return np.full(self._count, np.inf)
        window = _fine_structure(log_mel, self._mean_db)
        shared = np.zeros((self._count, positions))
        for frame in range(self._frames):
            shared += self._wanted[:, frame] @ window[frame : frame + positions].T
        sums = np.concatenate([[0], np.cumsum((window.astype(np.float64) ** 2).sum(axis=1))])
        squares = sums[self._frames :] - sums[: -self._frames]
        norms = np.sqrt(np.maximum(np.outer(self._squares, squares), _TINY))
        nearest: NDArray[np.float64] = (1 - shared / norms).min(axis=1)
        return nearest


def _fine_structure(log_mel: NDArray[Any], mean_db: NDArray[Any]) -> NDArray[np.float32]:
    """What notes add to `log_mel` [frames, n_mels], beyond `mean_db`: float32, in dB."""
    return fine_structure((log_mel - mean_db).astype(np.float32))
