"""Is a generated spectrogram new, and is it like music? Distances to the corpus, and summaries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from schemas import FeatureConfig
from schemas.filterbank import mel_corners

_TINY = 1e-12

_ENVELOPE_SHARE = 1 / 8  # of the mel bins: what the average is taken over


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


def excerpts_of(
    windows: Iterable[NDArray[Any]], frames: int, audible_db: float
) -> Iterator[NDArray[Any]]:
    """The consecutive excerpts [frames, n_mels] of windows; silence is left out.

    An excerpt is silent when nothing in it reaches `audible_db`: near-silence is near to any
    other and says nothing about copying.
    """
    for log_mel in windows:
        for first in range(0, len(log_mel) - frames + 1, frames):
            excerpt = log_mel[first : first + frames]
            if excerpt.max() >= audible_db:
                yield excerpt


def nearest_distances(
    excerpts: NDArray[Any], corpus: Iterable[NDArray[Any]], mean_db: NDArray[Any]
) -> NDArray[np.float64]:
    """How near each excerpt comes to any position of the corpus: 1 - r, from 0 to 2.

    r is the correlation of the fine structures (see `_fine_structure`) of an excerpt and of as many
    frames of a window: 1 for the same notes at the same times, however loud and through
    whatever filter, about 0 for unrelated music. (By differences in dB, or with the spectral
    envelope left in, a blur or a quiet passage would be nearer to everything than music is.)
    `excerpts` [n, frames, n_mels], the windows of `corpus` [any, n_mels] and `mean_db` [n_mels] are
    in dB; the result is float64 [n], infinite where every window is shorter than an excerpt.
    One window's products with all excerpts are in memory at a time, that is 4 * n * frames bytes
    for each of its frames.
    """
    count, frames, n_mels = excerpts.shape
    wanted = _fine_structure(excerpts.reshape(count * frames, n_mels), mean_db)
    own = (wanted.astype(np.float64) ** 2).reshape(count, -1).sum(axis=1)
    nearest = np.full(count, np.inf)
    for log_mel in corpus:
        positions = len(log_mel) - frames + 1
        if positions < 1:
            continue
        window = _fine_structure(log_mel, mean_db)
        products = (window @ wanted.T).reshape(len(window), count, frames)
        shared = np.zeros((positions, count))
        for frame in range(frames):
            shared += products[frame : frame + positions, :, frame]
        sums = np.concatenate([[0], np.cumsum((window.astype(np.float64) ** 2).sum(axis=1))])
        theirs = sums[frames:] - sums[:-frames]
        norms = np.sqrt(np.maximum(own * theirs[:, np.newaxis], _TINY))
        np.minimum(nearest, (1 - shared / norms).min(axis=0), out=nearest)
    return nearest


def _fine_structure(log_mel: NDArray[Any], mean_db: NDArray[Any]) -> NDArray[np.float32]:
    """What notes add to `log_mel` [frames, n_mels]: float32, in dB.

    The deviations from `mean_db`, less each frame's spectral envelope: their moving average over
    an eighth of the mel bins, and three at least. Loudness, tone control and the decay of a room
    are in the envelope; partials are narrower.
    """
    deviations = (log_mel - mean_db).astype(np.float32)
    width = max(3, round(log_mel.shape[1] * _ENVELOPE_SHARE))
    return deviations - uniform_filter1d(deviations, width, axis=1, mode="nearest")
