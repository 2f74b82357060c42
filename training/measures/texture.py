"""What a frame consists of: harmonics as notes have them, or speckle as noise has it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from schemas import FeatureConfig
from schemas.filterbank import mel_bins

ENVELOPE_SHARE = 1 / 8
"""The share of the mel bins that a frame's spectral envelope is averaged over."""

LOWEST_HZ, HIGHEST_HZ = 27.5, 2_000.0
"""Combs are tried from the lowest note of a piano up, in quarter tones."""

_STEPS_PER_OCTAVE = 24
_HARMONICS = 12
_LEAST_HARMONICS = 4
_BINS_APART = 3.0  # two harmonics with a bin between them
_KEPT_SHARE = 0.75
_SD_PER_TRIMMED_MEAN = 1.9421  # of a Gaussian, by the mean of the least 75 % of its absolute values
_TINY = 1e-9


def speckle_db(log_mel: NDArray[Any]) -> float:
    """The standard deviation, in dB, of what neighbors in time and frequency do not share.

    The typical mixed difference (x[t+1, k+1] - x[t+1, k] - x[t, k+1] + x[t, k]) / 2, where partials
    that last and attacks of all bins cancel. Independent Gaussian noise has its standard deviation.
    It is estimated from the mean of the least three quarters of the absolute values, which few
    onsets do not change. (Their median would be a multiple of a quarter of a step for levels on a
    grid.) 0 for one frame or one bin. Invariant to gain.

    Examples:
        >>> noise = np.random.default_rng(0).normal(0, 3, (400, 128))
        >>> round(speckle_db(noise), 1)
        3.0
        >>> speckle_db(np.add.outer(np.arange(9.0), np.arange(5.0)))
        0.0
    """
    mixed = np.diff(np.diff(log_mel.astype(np.float64), axis=0), axis=1) / 2
    if not mixed.size:
        return 0.0
    kept = max(1, int(_KEPT_SHARE * mixed.size))
    least = np.partition(np.abs(mixed), kept - 1, axis=None)[:kept]
    return float(_SD_PER_TRIMMED_MEAN * least.mean())


def comb_strength(log_mel: NDArray[Any], config: FeatureConfig) -> float | None:
    """How much frames look like the harmonics of one note: -1 to 1, the mean over frames.

    For each frame, the greatest correlation of its fine structure (levels less their moving average
    over an eighth of the bins) with that of any harmonic comb (see `harmonic_combs`), in the
    manner of harmonic template matching (Goldstein 1973). A frame without fine structure has 0.
    None where bins are too wide for any comb. Invariant to gain and to filters that are smooth over
    frequency.

    Examples:
        >>> from schemas import FeatureConfig
        >>> config = FeatureConfig()
        >>> comb = harmonic_combs(config)[20]
        >>> round(comb_strength(30 * np.tile(comb, (5, 1)) - 40, config), 1)
        1.0
    """
    combs = harmonic_combs(config)
    if not len(combs):
        return None
    fine = fine_structure(log_mel.astype(np.float64))
    norms = np.linalg.norm(fine, axis=1, keepdims=True)
    correlations = np.divide(
        fine @ combs.T, norms, out=np.zeros((len(fine), len(combs))), where=norms > _TINY
    )
    return float(correlations.max(axis=1).mean())


@functools.lru_cache(maxsize=8)
def harmonic_combs(config: FeatureConfig) -> NDArray[np.float64]:
    """The fine structure of the combs of 12 harmonics, float64 [combs, n_mels], of unit norm.

    A harmonic is a triangle one bin wide at its frequency's position, `1 / sqrt(number)` high. The
    fundamentals are those with four harmonics or more below fmax, and with the first two at least
    three mel bins apart.
    """
    octaves = np.log2(HIGHEST_HZ / LOWEST_HZ)
    steps = np.arange(int(octaves * _STEPS_PER_OCTAVE) + 1)
    fundamentals = LOWEST_HZ * 2 ** (steps / _STEPS_PER_OCTAVE)
    apart = mel_bins(2 * fundamentals, config) - mel_bins(fundamentals, config)
    usable = (apart >= _BINS_APART) & (fundamentals * _LEAST_HARMONICS <= config.fmax)
    usable &= fundamentals >= config.fmin
    numbers = np.arange(1, _HARMONICS + 1)[:, np.newaxis]
    positions = mel_bins(fundamentals[usable, np.newaxis, np.newaxis] * numbers, config)
    triangles = np.maximum(0, 1 - np.abs(np.arange(config.n_mels) - positions))
    fine = fine_structure((triangles / np.sqrt(numbers)).max(axis=1))
    return fine / np.maximum(np.linalg.norm(fine, axis=1, keepdims=True), _TINY)


def fine_structure(levels: NDArray[Any]) -> NDArray[Any]:
    """Levels [any, n_mels] less each frame's spectral envelope; of their dtype, a float's.

    The envelope is the moving average over an eighth of the bins, and three at least. Loudness,
    tone control and the decay of a room are in it; partials are narrower.
    """
    width = max(3, round(levels.shape[1] * ENVELOPE_SHARE))
    return levels - uniform_filter1d(levels, width, axis=1, mode="nearest")
