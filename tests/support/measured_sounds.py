"""Sounds and spectrograms whose measures are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.inversion import audio_to_log_mel
from training.measures.observation import Ear
from training.measures.transcriber import HIDDEN_UNITS, Transcriber

CONTROLS = (
    "stationary noise",
    "shuffled frames",
    "time-blurred",
    "20 dB softer",
    "drone",
    "drone with noise",
)
"""The sounds that the measures must reject."""

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


def tunes(seed: int, frames: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Random chords of two notes that decay, three a second, and their labels [frames, 128]."""
    rng = np.random.default_rng(seed)
    samples = (frames - 1) * CONFIG.hop_length
    pitches = rng.integers(57, 76, (1 + 3 * samples // CONFIG.sample_rate, 2))
    third = CONFIG.sample_rate // 3
    decay = np.exp(-3 * np.arange(third) / third)
    chords = [decay * sum(note(hertz(pitch), 1 / 3)[:third] for pitch in pair) for pair in pitches]
    sound = np.concatenate(chords)[:samples] * 10 ** (rng.normal(0, 2) / 20)
    hiss = white_noise(len(sound) / CONFIG.sample_rate, 1e-3, seed)
    log_mel = log_mel_of(sound + hiss)
    current = np.minimum(np.arange(len(log_mel)) * CONFIG.hop_length // third, len(pitches) - 1)
    notes = np.zeros((len(log_mel), 128), np.uint8)
    np.put_along_axis(notes, pitches[current], 1, axis=1)
    return log_mel, notes


def hertz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def random_transcriber() -> Transcriber:
    """A transcriber that knows nothing, and computes what a fitted one does."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, (HIDDEN_UNITS, 128)).astype(np.float32)
    return Transcriber(weights, np.zeros(128, np.float32))


def random_ear(config: FeatureConfig = CONFIG) -> Ear:
    return Ear(config, random_transcriber(), 0.1)
