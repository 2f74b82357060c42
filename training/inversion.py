"""From mel levels to sound and back, with librosa."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from librosa.filters import mel as mel_filters
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.errors import TrainingError

GRIFFIN_LIM_ITERATIONS = 32

_MEL_ITERATIONS = 50
_TINY = 1e-30


def mel_to_audio(
    log_mel: NDArray[Any], config: FeatureConfig, *, length: int, seed: int
) -> NDArray[np.float32]:
    """A waveform [length] that has about the levels `log_mel` [frames, n_mels], in dB.

    `frames` must be those of a recording of `length` samples, `config.frame_count(length)`.

    The phases, which levels do not hold, are Griffin and Lim's (1984), in the fast variant of
    Perraudin et al. (2013), from random ones.
    """
    power = 10 ** (log_mel.T.astype(np.float64) / 10)
    magnitude = np.sqrt(mel_to_stft(power, _filters(config)))
    samples = librosa.griffinlim(
        magnitude,
        n_iter=GRIFFIN_LIM_ITERATIONS,
        hop_length=config.hop_length,
        win_length=config.win_length,
        n_fft=config.n_fft,
        length=length,
        random_state=seed,
    )
    return samples.astype(np.float32)


def mel_to_stft(power: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """A power spectrum [n_fft // 2 + 1, frames] whose mel power is about `power` [n_mels, frames].

    The multiplicative updates of Lee and Seung (2001) for the Kullback-Leibler divergence: they
    fit quiet bins as well as loud ones, in a known time. (`librosa`'s least squares took minutes
    for ten seconds of levels that no sound has.)
    """
    reach = filters.sum(axis=0)[:, np.newaxis]
    heard = reach > 0
    spectrum = np.where(heard, power.mean(axis=0), 0.0)
    for _ in range(_MEL_ITERATIONS):
        ratio = filters.T @ (power / np.maximum(filters @ spectrum, _TINY))
        spectrum *= np.divide(ratio, reach, out=np.zeros_like(ratio), where=heard)
    return spectrum


def log_mel_of(samples: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """Mel levels in dB, float32 [frames, n_mels], of mono samples at the features' rate."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    return (10 * np.log10(np.maximum(config.amin, mel))).T.astype(np.float32)


def wav_bytes(samples: NDArray[np.float32], rate: int) -> tuple[bytes, float]:
    """A 16-bit WAV file, and the gain that was needed to fit it: 1 unless a sample exceeds 1."""
    gain = float(min(1.0, 1 / max(float(np.abs(samples).max(initial=0)), 1e-9)))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples * gain, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue(), gain


def read_audio(path: Path, config: FeatureConfig) -> NDArray[np.float32]:
    """The file as mono samples at the features' rate."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise TrainingError(f"{path}: cannot be read as audio: {error}") from None
    mono = samples.mean(axis=1)
    if not len(mono):
        raise TrainingError(f"{path}: holds no samples")
    if rate == config.sample_rate:
        return mono
    return librosa.resample(mono, orig_sr=rate, target_sr=config.sample_rate)


def _filters(config: FeatureConfig) -> NDArray[np.float64]:
    return mel_filters(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        dtype=np.float64,
    )
