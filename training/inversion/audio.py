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
from schemas.mel import MelTransform, decibels
from training.errors import TrainingError
from training.grid import STEP_DB
from training.inversion.griffin_lim import sound_of_mel_power

_SILENCE_DB = STEP_DB / 2
"""Levels at most this far above the lowest are silence: rounding to the grid moves none farther."""


def mel_to_audio(
    log_mel: NDArray[Any], config: FeatureConfig, *, length: int | None = None, seed: int
) -> NDArray[np.float32]:
    """A waveform, float32 [length], whose mel levels are about `log_mel` [frames, n_mels], in dB.

    `frames` must be `config.frame_count(length)`; without a length, the sound ends at the center of
    the last frame. Levels may be -inf, but neither NaN nor inf.
    Those of `config.floor_db` and below become silence. Full scale is 1, as in `audio_to_log_mel`;
    samples may exceed it.

    `log_mel` holds no phases: `griffin_lim.sound_of_mel_power` finds them. The same `seed` gives
    the same waveform.
    """
    if length is None:
        length = (len(log_mel) - 1) * config.hop_length
    levels = log_mel.astype(np.float32)
    loudest = max(levels.max(), np.float32(config.floor_db))
    # Relative to the loudest, every power fits a float32, whatever the levels are.
    mel_power = 10 ** ((levels - loudest) / 10)
    mel_power[levels <= config.floor_db + _SILENCE_DB] = 0
    samples = sound_of_mel_power(mel_power, config, length=length, seed=seed)
    samples *= np.float32(10 ** (loudest / 20))
    return samples


def audio_to_log_mel(samples: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """The log-mel spectrogram, in dB, as a dataset has it: float32 [frames, n_mels].

    `samples` are mono, at the features' rate, of full scale 1. Frame k is centered at sample
    k * hop_length, with zeros beyond both ends.
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
    if not path.exists():
        raise TrainingError(f"{path}: no such file; check its name")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        cause = getattr(error, "error_string", str(error)).rstrip(".")
        raise TrainingError(
            f"{path}: cannot be read as audio ({cause}); choose another file"
        ) from None
    mono = samples.mean(axis=1)
    if not len(mono):
        raise TrainingError(f"{path}: holds no samples; choose another file")
    if not np.isfinite(mono).all():
        raise TrainingError(f"{path}: holds NaN or infinite samples; choose another file")
    if rate == config.sample_rate:
        return mono
    return librosa.resample(mono, orig_sr=rate, target_sr=config.sample_rate)
