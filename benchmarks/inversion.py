"""CPU seconds and mel error of one way to invert log-mels, on ten seconds of each file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.filterbank import mel_filters
from training.inversion import audio_to_log_mel, mel_to_audio

CONFIG = FeatureConfig()
SECONDS = 10
LENGTH = SECONDS * CONFIG.sample_rate
RUNS = 3
MAGNITUDE_UPDATES = 50
GRIFFIN_LIM_ITERATIONS = 32


def ours(log_mel: NDArray[np.float32]) -> NDArray[Any]:
    return mel_to_audio(log_mel, CONFIG, length=LENGTH, seed=0)


def by_librosa(log_mel: NDArray[np.float32]) -> NDArray[Any]:
    """Magnitudes by least squares, and then their phases, as `librosa` does both."""
    return librosa.feature.inverse.mel_to_audio(
        10 ** (log_mel.T / 10),
        sr=CONFIG.sample_rate,
        n_fft=CONFIG.n_fft,
        hop_length=CONFIG.hop_length,
        n_iter=GRIFFIN_LIM_ITERATIONS,
        length=LENGTH,
        fmin=CONFIG.fmin,
        fmax=CONFIG.fmax,
    )


def two_stages(log_mel: NDArray[np.float32]) -> NDArray[Any]:
    """Magnitudes by multiplicative updates, and then their phases by `librosa`, in float64."""
    filters = mel_filters(CONFIG).astype(np.float64)
    power = 10 ** (log_mel.T.astype(np.float64) / 10)
    reach = np.maximum(filters.sum(axis=0), 1e-30)[:, np.newaxis]
    spectrum = np.where(reach > 1e-30, power.mean(axis=0), 0.0)
    for _ in range(MAGNITUDE_UPDATES):
        spectrum *= filters.T @ (power / np.maximum(filters @ spectrum, 1e-30)) / reach
    return librosa.griffinlim(
        np.sqrt(spectrum),
        n_iter=GRIFFIN_LIM_ITERATIONS,
        hop_length=CONFIG.hop_length,
        length=LENGTH,
        random_state=0,
    )


def excerpt(path: Path) -> NDArray[np.float32]:
    """Ten seconds from the middle of a mono file, at the features' rate."""
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        file.seek((len(file) - SECONDS * rate) // 2)
        samples = file.read(SECONDS * rate, dtype="float32")
    return librosa.resample(samples, orig_sr=rate, target_sr=CONFIG.sample_rate)


WAYS: dict[str, Callable[[NDArray[np.float32]], NDArray[Any]]] = {
    "ours": ours,
    "by_librosa": by_librosa,
    "two_stages": two_stages,
}


def main(way: str, *paths: str) -> None:
    invert = WAYS[way]
    log_mels = [audio_to_log_mel(excerpt(Path(path)), CONFIG) for path in paths]
    squares = []
    for log_mel in log_mels:
        again = audio_to_log_mel(invert(log_mel).astype(np.float32), CONFIG)
        squares.append(np.mean(np.square(again - log_mel, dtype=np.float64)))
    seconds = []
    for _ in range(RUNS):
        started = time.process_time()
        invert(log_mels[0])
        seconds.append(time.process_time() - started)
    error = float(np.sqrt(np.mean(squares)))
    print(json.dumps({"cpu_seconds": min(seconds), "mel_error_db": error}))


if __name__ == "__main__":
    main(*sys.argv[1:])
