"""Sound that has a given mel power: Griffin and Lim's algorithm, with mel bins for its constraint.

Griffin and Lim (1984) look for the phases of a known magnitude spectrum. A mel spectrogram knows
less, the mel power alone. Each iteration therefore scales the sound's own spectrum to that power,
which leaves the magnitudes within a mel bin as free as the phases.

Every other operation is linear, so that the momentum of Perraudin et al. (2013, "A fast
Griffin-Lim algorithm") can be added to the samples in place of their spectra. No spectrum is ever
held whole.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import hann_window, mel_filters

ITERATIONS = 120
MOMENTUM = np.float32(0.99)

_BLOCK_VALUES = 1 << 16
"""Samples of frames that are transformed at once: few enough for a core's own cache."""

_UPDATES = 5
"""In each iteration; more of them gain less than more iterations do in the same time."""

_MOST_RISE = np.float32(1e6)
"""The largest factor of one update. That of all of them must fit a float32."""

_TINY = np.float32(1e-30)

_LEAST_OVERLAP = np.float32(1e-3)
"""Where the squared windows sum to less, samples fade out: dividing would amplify rounding."""


def sound_of_mel_power(
    mel_power: NDArray[np.float32], config: FeatureConfig, *, length: int, seed: int
) -> NDArray[np.float32]:
    """Samples, float32 [length], whose mel power is about `mel_power`, float32 [frames, n_mels].

    `frames` is `config.frame_count(length)`. The largest power should be about 1: powers below
    1e-30 count as none. The algorithm begins with white noise, a function of `seed`.

    It holds about 30 bytes for each sample, and computes in proportion to `length`.
    """
    frames = len(mel_power)
    padded = config.n_fft + (frames - 1) * config.hop_length
    start = config.n_fft // 2
    sound = slice(start, start + length)
    constraint = _Constraint.make(mel_power, config)

    weights = np.zeros(padded, np.float32)
    add_frames(
        np.broadcast_to(constraint.window**2, (frames, config.n_fft)), weights, config.hop_length
    )
    scale = np.zeros(padded, np.float32)
    scale[sound] = 1 / np.maximum(weights[sound], _LEAST_OVERLAP)

    noise = np.random.default_rng(seed).standard_normal(padded, dtype=np.float32)
    found = before = constraint.apply(noise) * scale
    for _ in range(ITERATIONS):
        ahead = found - before
        ahead *= MOMENTUM
        ahead += found
        before, found = found, constraint.apply(ahead)
        found *= scale

    samples = np.zeros(length, np.float32)
    covered = found[sound]
    samples[: len(covered)] = covered
    return samples


def mel_gains(
    spectrum: NDArray[np.float32], mel_power: NDArray[np.float32], filters: Any, shares: Any
) -> NDArray[np.float32]:
    """Factors, float32 [bins, frames], that bring a power spectrum nearer to a mel power.

    `spectrum` is float32 [bins, frames], with bins = n_fft // 2 + 1; it is overwritten with its
    product with the factors. `mel_power` is float32 [n_mels, frames], at most about 1. `filters`
    is a sparse float32 array [n_mels, bins], and `shares` what `filter_shares` makes of it.

    The factors are those of a few multiplicative updates of Lee and Seung (2001) for the
    Kullback-Leibler divergence, which fit quiet bins as well as loud ones. They are 0 where no
    filter is.
    """
    least = mel_power / _MOST_RISE + _TINY
    gains = np.ones_like(spectrum)
    for _ in range(_UPDATES):
        update = shares @ (mel_power / np.maximum(filters @ spectrum, least))
        spectrum *= update
        gains *= update
    return gains


def filter_shares(filters: Any) -> Any:
    """The share of each filter in all filters at a bin: sparse float32 [bins, n_mels].

    `filters` is a sparse float32 array [n_mels, bins]. A bin without filters has no shares.
    """
    reach = filters.sum(axis=0)
    inverse = np.divide(1, reach, out=np.zeros_like(reach), where=reach > 0)
    return scipy.sparse.csr_array(filters.T * inverse[:, np.newaxis])


def add_frames(frames: NDArray[np.float32], samples: NDArray[np.float32], hop_length: int) -> None:
    """Adds frame k of `frames` [frames, n_fft] to `samples` from k * hop_length on."""
    length = frames.shape[1]
    for number, frame in enumerate(frames):
        start = number * hop_length
        samples[start : start + length] += frame


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Constraint:
    """The mel power [n_mels, frames] that a sound should have, and what it is computed with."""

    config: FeatureConfig
    window: NDArray[np.float32]
    filters: Any
    shares: Any
    mel_power: NDArray[np.float32]

    @classmethod
    def make(cls, mel_power: NDArray[np.float32], config: FeatureConfig) -> _Constraint:
        filters = scipy.sparse.csr_array(mel_filters(config))
        return cls(
            config=config,
            window=hann_window(config),
            filters=filters,
            shares=filter_shares(filters),
            mel_power=np.ascontiguousarray(mel_power.T),
        )

    def apply(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The windowed frames of `samples`, scaled to the mel power, windowed again and added.

        Both are float32 [n_fft + (frames - 1) * hop_length].
        """
        n_fft, hop_length = self.config.n_fft, self.config.hop_length
        every = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop_length]
        added = np.zeros_like(samples)
        block = max(1, _BLOCK_VALUES // n_fft)
        for first in range(0, len(every), block):
            chosen = slice(first, first + block)
            # The transform lays frames side by side, as the sparse products want them.
            spectra = scipy.fft.rfft((every[chosen] * self.window).T, axis=0)
            power = np.square(spectra.real) + np.square(spectra.imag)
            gains = mel_gains(power, self.mel_power[:, chosen], self.filters, self.shares)
            spectra *= np.sqrt(gains, out=gains)
            frames = scipy.fft.irfft(spectra.T, n_fft, axis=1)
            frames *= self.window
            add_frames(frames, added[first * hop_length :], hop_length)
        return added
