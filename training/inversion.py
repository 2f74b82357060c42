"""From a log-mel spectrogram to sound and back, and the files that sound is in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import mel_filters
from schemas.mel import MelTransform, decibels
from training.errors import TrainingError

GRIFFIN_LIM_ITERATIONS = 32

_MEL_ITERATIONS = 50
_TINY = 1e-30


def mel_to_audio(
    log_mel: NDArray[Any], config: FeatureConfig, *, length: int, seed: int
) -> NDArray[np.float32]:
    """A waveform, float32 [length], that has about the mel power `log_mel` [frames, n_mels], in dB.

    `frames` must be those of a recording of `length` samples, `config.frame_count(length)`. Samples
    are from -1 to 1 where those were that `log_mel` was made of.

    The phases, which `log_mel` does not hold, are Griffin and Lim's (1984), in the fast variant of
    Perraudin et al. (2013), from random ones that are a function of `seed`.
    """
    power = 10 ** (log_mel.T.astype(np.float64) / 10)
    magnitude = np.sqrt(mel_to_stft(power, mel_filters(config).astype(np.float64)))
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

    `filters` are [n_mels, n_fft // 2 + 1]; all arrays are float64.

    The multiplicative updates of Lee and Seung (2001) for the Kullback-Leibler divergence: they
    fit quiet bins as well as loud ones, in a known time. (`librosa`'s least squares took minutes
    for ten seconds of a spectrogram that no sound has.)
    """
    reach = filters.sum(axis=0)[:, np.newaxis]
    covered = reach > 0
    spectrum = np.where(covered, power.mean(axis=0), 0.0)
    for _ in range(_MEL_ITERATIONS):
        ratio = filters.T @ (power / np.maximum(filters @ spectrum, _TINY))
        spectrum *= np.divide(ratio, reach, out=np.zeros_like(ratio), where=covered)
    return spectrum


def audio_to_log_mel(samples: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """The log-mel spectrogram, in dB, as a dataset has it: float32 [frames, n_mels].

    `samples` are mono, at the features' rate. Frame k is centered at sample k * hop_length, with
    zeros beyond both ends.
    """
    frames = config.frame_count(len(samples))
    before = config.n_fft // 2
    padded = np.zeros(config.n_fft + (frames - 1) * config.hop_length, np.float32)
    kept = samples[: len(padded) - before]
    padded[before : before + len(kept)] = kept
    return decibels(MelTransform.from_config(config).mel_power(padded), amin=config.amin)


def wav_bytes(samples: NDArray[np.float32], rate: int) -> tuple[bytes, float]:
    """A 16-bit WAV file of `samples` [any] at `rate` Hz, and the gain that it needed to fit.

    The gain is 1 unless a sample exceeds 1.
    """
    gain = float(min(1.0, 1 / max(float(np.abs(samples).max(initial=0)), 1e-9)))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples * gain, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue(), gain


def read_audio(path: Path, config: FeatureConfig) -> NDArray[np.float32]:
    """The file as mono samples at the features' rate, float32 [samples].

    Raises `TrainingError` where it cannot be read as audio or holds no samples.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise TrainingError(
            f"{path}: cannot be read as audio: {error}; choose another file"
        ) from None
    mono = samples.mean(axis=1)
    if not len(mono):
        raise TrainingError(f"{path}: holds no samples; choose another file")
    if not np.isfinite(mono).all():
        raise TrainingError(f"{path}: holds NaN or infinite samples; choose another file")
    if rate == config.sample_rate:
        return mono
    return librosa.resample(mono, orig_sr=rate, target_sr=config.sample_rate)
