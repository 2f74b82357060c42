"""How loud a spectrogram is, and how far its loudness wanders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import mel_corners

SLOW_SECONDS = 2.0
"""Changes of level that take longer than this are drift and not notes."""

AUDIBLE_RANGE_DB = 40.0
"""Frames further below the mean level than this count as this far: they are pauses, and how quiet
a pause is depends on the recording's noise alone."""


def frame_levels(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float64]:
    """The level of each frame in dB, float64 [frames]: that of its power over all frequencies.

    Slaney's filters have equal areas, so a bin's power is a density: it is multiplied by the
    filter's width in Hz before bins are added, as in `novelty.spectral_summary`.
    """
    corners = mel_corners(config)
    power = 10 ** (log_mel.astype(np.float64) / 10)
    return 10 * np.log10(power @ (corners[2:] - corners[:-2]))


def level_db(log_mel: NDArray[Any], config: FeatureConfig) -> float:
    """The level of the mean power, in dB: a gain of g dB adds g.

    Examples:
        >>> from schemas import FeatureConfig
        >>> quiet = np.full((10, 128), -40.0)
        >>> round(level_db(quiet + 6, FeatureConfig()) - level_db(quiet, FeatureConfig()), 6)
        6.0
    """
    return _mean_level(frame_levels(log_mel, config))


def level_sd_db(log_mel: NDArray[Any], config: FeatureConfig) -> float:
    """The standard deviation over time of the frames' levels, in dB. A gain changes nothing.

    Examples:
        >>> from schemas import FeatureConfig
        >>> steps = np.repeat([-40.0, -30.0], 20)[:, np.newaxis] + np.zeros(128)
        >>> round(level_sd_db(steps, FeatureConfig()), 6)
        5.0
    """
    return float(_audible_levels(log_mel, config).std())


def level_drift_db(log_mel: NDArray[Any], config: FeatureConfig) -> float:
    """The range, in dB, of the frames' levels averaged over two seconds. A gain changes nothing.

    0 for what is no longer than that.

    Examples:
        >>> from schemas import FeatureConfig
        >>> ramp = np.linspace(-40, -20, 430)[:, np.newaxis] + np.zeros(128)
        >>> round(level_drift_db(ramp, FeatureConfig()), 1)
        16.0
    """
    levels = _audible_levels(log_mel, config)
    frames = min(len(levels), max(1, round(SLOW_SECONDS * config.frames_per_second)))
    slow = np.convolve(levels, np.full(frames, 1 / frames), mode="valid")
    return float(np.ptp(slow))


def _mean_level(levels: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _audible_levels(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float64]:
    levels = frame_levels(log_mel, config)
    return np.maximum(levels, _mean_level(levels) - AUDIBLE_RANGE_DB)
