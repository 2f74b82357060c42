"""Sounds and spectrograms whose measures are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.inversion import audio_to_log_mel
from training.measures.transcriber import Transcriber, context_frames

CONFIG = FeatureConfig()


def log_mel_of(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    return audio_to_log_mel(samples.astype(np.float32), CONFIG)


def time_axis(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * CONFIG.sample_rate)) / CONFIG.sample_rate


def note(hz: float, seconds: float, harmonics: int = 10) -> NDArray[np.float64]:
    """A steady tone with harmonics, the higher the softer."""
    time = time_axis(seconds)
    partials = [np.sin(2 * np.pi * hz * k * time) / k for k in range(1, harmonics + 1)]
    return 0.2 * np.sum(partials, axis=0)


def white_noise(seconds: float, amplitude: float = 0.1, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, amplitude, len(time_axis(seconds)))


def clicks(per_second: float, seconds: float) -> NDArray[np.float64]:
    """Short clicks, in noise that is 50 dB softer."""
    samples = white_noise(seconds, 1e-4)
    period = round(CONFIG.sample_rate / per_second)
    for start in range(period // 2, len(samples), period):
        samples[start : start + 50] += 0.5
    return samples


def random_transcriber(config: FeatureConfig = CONFIG, hidden: int = 8) -> Transcriber:
    """A transcriber that knows nothing, and computes what a trained one does."""
    rng = np.random.default_rng(0)
    inputs = (2 * context_frames(config) + 1) * config.n_mels
    return Transcriber(
        config=config,
        mean=np.full(inputs, -30, np.float32),
        scale=np.full(inputs, 20, np.float32),
        hidden_weights=rng.normal(0, 0.1, (inputs, hidden)).astype(np.float32),
        hidden_bias=np.zeros(hidden, np.float32),
        note_weights=rng.normal(0, 0.3, (hidden, 128)).astype(np.float32),
        note_bias=np.full(128, -2, np.float32),
    )
