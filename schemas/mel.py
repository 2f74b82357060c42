"""From samples to mel levels, with arithmetic that gives the same bits on every x86-64 CPU.

Only operations that IEEE 754 rounds in one way are used (or libraries that do not choose their
code by the CPU: scipy's FFT, scipy's sparse product). numpy's own `log` and `log10` have variants
for newer CPUs that differ in the last bit, so `decibels` brings its own.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from schemas.features import FeatureConfig
from schemas.filterbank import hann_window, mel_filters

_BLOCK_VALUES = 1 << 18
"""Samples of frames that are transformed at once: few enough for a core's own cache."""


@dataclasses.dataclass(frozen=True, eq=False)
class MelTransform:
    """The arrays that turn samples into mel power; made once, at launch, and sent to the workers.

    `window` is float32 [n_fft]; `basis` is a sparse float32 array [n_mels, n_fft // 2 + 1].
    """

    config: FeatureConfig
    window: NDArray[np.float32]
    basis: Any

    @classmethod
    def from_config(cls, config: FeatureConfig) -> MelTransform:
        """The transform with librosa's window and Slaney filterbank.

        Warns where filters are so narrow that no frequency of the transform lies in them.
        """
        filters = mel_filters(config)
        empty = np.count_nonzero(~filters.any(axis=1))
        if empty:
            warnings.warn(
                f"{empty} of {config.n_mels} mel bins will hold silence alone, since no frequency "
                f"of the transform lies in them; use a smaller n_mels or a larger n_fft",
                stacklevel=2,
            )
        return cls(config, hann_window(config), scipy.sparse.csr_array(filters))

    def mel_power(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mel power, float32 [frames, n_mels], infinite where it exceeds float32.

        `samples` are float32 at the configured rate, of full scale 1, and n_fft + (frames - 1) *
        hop_length in number. Frame k is made of the n_fft samples from k * hop_length: to center
        frames, the caller pads.
        """
        config = self.config
        every = np.lib.stride_tricks.sliding_window_view(samples, config.n_fft)
        frames = every[:: config.hop_length]
        mel_power = np.empty((len(frames), config.n_mels), np.float32)
        block = max(1, _BLOCK_VALUES // config.n_fft)
        with np.errstate(over="ignore"):  # infinite power is the caller's to reject
            for start in range(0, len(frames), block):
                stop = start + block
                mel_power[start:stop] = self._mel_sums(self._squares(frames[start:stop]))
        return mel_power

    def _squares(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """The squares of the spectra's parts, [bins, 2 * frames]: real, imaginary, real, ..."""
        # The transform lays frames side by side, as the sparse product wants them.
        spectra = scipy.fft.rfft((frames * self.window).T, axis=0)
        parts = spectra.view(np.float32)
        return np.square(parts, out=parts)

    def _mel_sums(self, squares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mel power [frames, n_mels]."""
        sums = self.basis @ squares
        return (sums[:, ::2] + sums[:, 1::2]).T


def decibels(power: NDArray[np.float32], *, amin: float) -> NDArray[np.float32]:
    """The level in dB, 10 * log10(max(amin, power)), within 1e-5 dB.

    `power` is float32 of any shape, C-contiguous; it is overwritten. The levels are float32 of the
    same shape.

    A power is split into 2**e * m with m in sqrt(1/2)..sqrt(2), and
    ln(m) = 2 * atanh((m - 1) / (m + 1)) is summed as a series whose next term is below 2e-9.
    """
    np.maximum(power, np.float32(amin), out=power)
    bits = power.view(np.int32)
    exponent = (bits - _SQRT_HALF_BITS) >> 23
    mantissa = (bits - (exponent << 23)).view(np.float32)
    ratio = mantissa - np.float32(1.0)
    np.add(mantissa, np.float32(1.0), out=mantissa)
    np.divide(ratio, mantissa, out=ratio)
    square = np.multiply(ratio, ratio, out=mantissa)
    series = np.full_like(square, _ATANH_TERMS[0])
    for term in _ATANH_TERMS[1:]:
        np.multiply(series, square, out=series)
        np.add(series, term, out=series)
    np.multiply(series, ratio, out=series)
    octaves = exponent.astype(np.float32)
    np.multiply(octaves, _DB_PER_OCTAVE, out=octaves)
    return np.add(series, octaves, out=series)


_SQRT_HALF_BITS = np.float32(np.sqrt(0.5)).view(np.int32)
_DB_PER_OCTAVE = np.float32(10 * np.log10(2.0))
_ATANH_TERMS = [np.float32(20 / np.log(10.0) / order) for order in (11, 9, 7, 5, 3, 1)]
