"""Sound with a given mel power, found by a variant of Griffin and Lim's algorithm.

Griffin and Lim (1984, "Signal estimation from modified short-time Fourier transform") estimate the
phases of a known magnitude spectrum. A mel spectrogram holds less: only the power in each mel bin.
Each iteration therefore scales the sound's own spectrum to that power, and leaves both the phases
and the distribution of power within a bin to the sound.

All other operations are linear, so the momentum of Perraudin et al. (2013, "A fast Griffin-Lim
algorithm") is added to the samples instead of to their spectra. Only the spectra of one block of
frames are held at a time.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import hann_window, mel_filters

ITERATIONS = 120
MOMENTUM = np.float32(0.99)

SEGMENT_SAMPLES = 1 << 19
"""Longer sounds are found in segments: 24 seconds at 22,050 Hz."""

_AHEAD_REACHES = 16
"""A segment is found with half as many windows of what follows it, where its end has to lead."""

_BLOCK_VALUES = 1 << 16
"""Samples of frames that are transformed at once: few enough for a core's own cache."""

_UPDATES = 5
"""Multiplicative updates per iteration; time spent on more iterations helps more."""

_MOST_RISE = np.float32(1e6)
"""The largest factor of one update, so that the product of all updates fits a float32."""

_TINY = np.float32(1e-30)
"""Powers below this count as silence."""

_LEAST_OVERLAP = np.float32(1e-3)
"""Where the squared windows sum to less, samples fade out: dividing would amplify rounding."""


def sound_of_mel_power(
    mel_power: NDArray[np.float32], config: FeatureConfig, *, length: int, seed: int
) -> NDArray[np.float32]:
    """Samples, float32 [length], whose mel power is about `mel_power`, float32 [frames, n_mels].

    `frames` must be `config.frame_count(length)`. Powers must be finite and at least 0, and the
    largest should be about 1, since powers below 1e-30 count as silence. The algorithm starts from
    white noise drawn with `seed`, and runs in one thread.

    Sound is found in segments of `SEGMENT_SAMPLES`, and each begins with the end of the one before
    it: what is kept of that stays, and what follows is where the search starts from instead of
    noise. Beyond the result, memory does not depend on `length`.
    """
    frames, hop_length = len(mel_power), config.hop_length
    start = config.n_fft // 2
    reach = math.ceil(start / hop_length)
    step = max(1, SEGMENT_SAMPLES // hop_length)
    rng = np.random.default_rng(seed)
    # As frames have them: frame 0 begins at sample 0, and the sound at sample `start`.
    samples = np.zeros(start + length, np.float32)
    begun, origin, done = samples[:0], 0, 0
    for first in range(0, frames, step):
        offset, end = origin * hop_length, min(frames, first + step + _AHEAD_REACHES * reach)
        found = _segment(
            begun,
            mel_power[origin:end],
            config,
            kept=done - offset,
            sound=(start - offset, start + length - offset),
            rng=rng,
        )
        stop = len(samples) if end == frames else start + (first + step) * hop_length
        new = found[done - offset : stop - offset]
        samples[done : done + len(new)] = new
        if end == frames:
            break
        # The next frames reach back to what is kept, so they begin before it.
        origin, done = max(0, first + step - reach), stop
        begun = found[origin * hop_length - offset :]
    return samples[start:]


def _segment(
    begun: NDArray[np.float32],
    mel_power: NDArray[np.float32],
    config: FeatureConfig,
    *,
    kept: int,
    sound: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Samples, float32 [n_fft + (frames - 1) * hop_length], found from those that are `begun`.

    The first `kept` of these stay. Samples outside of the range `sound` are 0.
    """
    padded = config.n_fft + (len(mel_power) - 1) * config.hop_length
    inside = slice(max(0, sound[0]), sound[1])
    constraint = _Constraint.make(mel_power, config)

    # Undoes the overlap of the windows, and silences what lies beyond both ends.
    scale = np.zeros(padded, np.float32)
    squares = np.broadcast_to(constraint.window**2, (len(mel_power), config.n_fft))
    add_frames(squares, scale, config.hop_length)
    scale[: inside.start] = scale[inside.stop :] = 0
    scale[inside] = 1 / np.maximum(scale[inside], _LEAST_OVERLAP)

    def constrained(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        found = constraint.apply(samples)
        found *= scale
        found[:kept] = begun[:kept]
        return found

    ahead = rng.standard_normal(padded, dtype=np.float32)
    ahead[: len(begun)] = begun
    found = constrained(ahead)
    before = found.copy()
    for _ in range(ITERATIONS):
        ahead = np.subtract(found, before, out=before)
        ahead *= MOMENTUM
        ahead += found
        before, found = found, constrained(ahead)
    return found


def mel_gains(
    spectrum: NDArray[np.float32], mel_power: NDArray[np.float32], filters: Any, shares: Any
) -> NDArray[np.float32]:
    """Factors, float32 [bins, frames], that bring a power spectrum closer to a mel power.

    `spectrum` is float32 [bins, frames], where bins = n_fft // 2 + 1; it is multiplied by the
    factors in place. `mel_power` is float32 [n_mels, frames], at most about 1. `filters` is a
    sparse float32 array [n_mels, bins], and `shares` is `filter_shares(filters)`.

    The factors are the product of a few multiplicative updates for the Kullback-Leibler divergence
    (Lee and Seung, 2001, "Algorithms for non-negative matrix factorization"), which fit quiet bins
    as well as loud ones. In bins that no filter covers they are 0.
    """
    least = mel_power / _MOST_RISE + _TINY
    gains = np.ones_like(spectrum)
    for _ in range(_UPDATES):
        update = shares @ (mel_power / np.maximum(filters @ spectrum, least))
        spectrum *= update
        gains *= update
    return gains


def filter_shares(filters: Any) -> Any:
    """Each filter divided by the sum of all filters in the same bin: sparse float32 [bins, n_mels].

    `filters` is a sparse float32 array [n_mels, bins]. Bins that no filter covers have no shares.
    """
    reach = filters.sum(axis=0)
    inverse = np.divide(1, reach, out=np.zeros_like(reach), where=reach > 0)
    return scipy.sparse.csr_array(filters.T * inverse[:, np.newaxis])


def add_frames(frames: NDArray[np.float32], samples: NDArray[np.float32], hop_length: int) -> None:
    """Adds frame k of `frames`, float32 [frames, n_fft], to `samples` in place.

    Frame k begins at sample k * hop_length. `samples`, float32, must hold all of the last frame.
    """
    length = frames.shape[1]
    for number, frame in enumerate(frames):
        start = number * hop_length
        samples[start : start + length] += frame


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Constraint:
    """The mel power that a sound should have, and the arrays that a transform to it needs.

    `window` is float32 [n_fft], `filters` sparse float32 [n_mels, bins], `shares` sparse float32
    [bins, n_mels], and `mel_power` float32 [n_mels, frames].
    """

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

        `samples` and the result are float32 [n_fft + (frames - 1) * hop_length].
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
