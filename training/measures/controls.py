"""Sounds that are not music, made from music: measures have to distinguish the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from schemas import FeatureConfig

BLUR_SECONDS = 0.5
SOFTER_DB = 20.0
DRONE_NOISE_DB = 3.0
"""The standard deviation of the noise on a drone. Frames of real music differ by 2 dB a bin."""


def stationary_noise(
    log_mel: NDArray[Any], mean_db: NDArray[Any], std_db: NDArray[Any], seed: int
) -> NDArray[np.float32]:
    """As many frames of independent Gaussian levels, with each bin's mean and deviation in dB."""
    noise = np.random.default_rng(seed).normal(size=log_mel.shape)
    return (mean_db + std_db * noise).astype(np.float32)


def shuffled(log_mel: NDArray[Any], seed: int) -> NDArray[np.float32]:
    """The same frames in a random order."""
    return np.random.default_rng(seed).permutation(log_mel).astype(np.float32)


def blurred(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float32]:
    """The moving average over half a second of each bin's levels in dB."""
    frames = max(1, round(BLUR_SECONDS * config.frames_per_second))
    return uniform_filter1d(log_mel.astype(np.float32), frames, axis=0, mode="nearest")


def softer(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.float32]:
    """The same sound 20 dB below, no lower than the features' floor."""
    return np.maximum(log_mel - SOFTER_DB, config.floor_db).astype(np.float32)


def drone(log_mel: NDArray[Any], noise_db: float, seed: int) -> NDArray[np.float32]:
    """The middle frame throughout, with independent Gaussian noise of `noise_db` on its levels."""
    held = np.broadcast_to(log_mel[len(log_mel) // 2], log_mel.shape)
    noise = np.random.default_rng(seed).normal(0, noise_db, log_mel.shape)
    return (held + noise).astype(np.float32)


def controls(
    windows: Sequence[NDArray[Any]],
    config: FeatureConfig,
    mean_db: NDArray[Any],
    std_db: NDArray[Any],
) -> Mapping[str, list[NDArray[np.float32]]]:
    """Each control's windows, as many as `windows`, arrays [frames, n_mels] in dB."""
    numbered = list(enumerate(windows))
    return {
        "stationary noise": [stationary_noise(each, mean_db, std_db, k) for k, each in numbered],
        "shuffled frames": [shuffled(each, k) for k, each in numbered],
        "time-blurred": [blurred(each, config) for each in windows],
        "20 dB softer": [softer(each, config) for each in windows],
        "drone": [drone(each, 0.0, k) for k, each in numbered],
        "drone with noise": [drone(each, DRONE_NOISE_DB, k) for k, each in numbered],
    }
