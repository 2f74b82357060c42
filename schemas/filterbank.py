"""The analysis window, the mel scale and the mel filterbank, number for number those of librosa.

They are written out here because importing librosa, with the compiler that it brings, takes longer
than all else that happens before a run begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.features import FeatureConfig

_HZ_PER_MEL = 200.0 / 3
_LOG_START_HZ = 1_000.0
_LOG_START_MEL = _LOG_START_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0
"""Slaney's mel scale (1998, Auditory Toolbox): linear below 1 kHz, and above it 27 mels for a
factor of 6.4."""


def hann_window(config: FeatureConfig) -> NDArray[np.float32]:
    """The periodic Hann window of win_length samples in the middle of n_fft, float32 [n_fft]."""
    phase = np.linspace(-np.pi, np.pi, config.win_length + 1)[:-1]
    # One sample alone would be the window's zero.
    window = 0.5 + 0.5 * np.cos(phase) if config.win_length > 1 else np.ones(1)
    missing = config.n_fft - config.win_length
    return np.pad(window, (missing // 2, missing - missing // 2)).astype(np.float32)


def mel_filters(config: FeatureConfig) -> NDArray[np.float32]:
    """Slaney's filterbank, float32 [n_mels, n_fft // 2 + 1]: triangles of equal area.

    Their corners are evenly spaced in mel between fmin and fmax; each filter has its peak where
    its neighbors end, and is divided by half its width in Hz.
    """
    corners = mel_corners(config)
    widths = np.diff(corners)
    from_corners = np.subtract.outer(corners, np.fft.rfftfreq(config.n_fft, 1 / config.sample_rate))
    rising = -from_corners[:-2] / widths[:-1, None]
    falling = from_corners[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2.0 / (corners[2:] - corners[:-2]))[:, None]
    return filters


def mel_corners(config: FeatureConfig) -> NDArray[np.float64]:
    """The filters' corners in Hz, float64 [n_mels + 2]: filter k has its peak at corner k + 1."""
    lowest, highest = hz_to_mel(config.fmin), hz_to_mel(config.fmax)
    return mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2))


def mel_bins(frequency: ArrayLike, config: FeatureConfig) -> NDArray[np.float64]:
    """Where frequencies in Hz lie on the axis of mel bins, whose peaks are 0 to n_mels - 1.

    float64 of the shape of `frequency`; below 0 and above n_mels - 1 outside the peaks.
    """
    low, high = hz_to_mel(config.fmin), hz_to_mel(config.fmax)
    return (hz_to_mel(frequency) - low) / (high - low) * (config.n_mels + 1) - 1.0


def hz_to_mel(frequency: ArrayLike) -> NDArray[np.float64]:
    """Frequencies in Hz, of any shape, on Slaney's mel scale; float64 of that shape."""
    frequency = np.asarray(frequency, np.float64)
    above = (
        _LOG_START_MEL + np.log(np.maximum(frequency, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP
    )
    return np.where(frequency < _LOG_START_HZ, frequency / _HZ_PER_MEL, above)


def mel_to_hz(mels: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `hz_to_mel`."""
    mels = np.asarray(mels, np.float64)
    above = _LOG_START_HZ * np.exp(_LOG_STEP * (mels - _LOG_START_MEL))
    return np.where(mels < _LOG_START_MEL, _HZ_PER_MEL * mels, above)
