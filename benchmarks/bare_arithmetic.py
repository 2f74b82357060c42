"""The limit: reading, soxr and the FFT of every frame, on threads, and nothing else."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr

from schemas import FeatureConfig

CONFIG = FeatureConfig()
WINDOW_SAMPLES = CONFIG.window_frames * CONFIG.hop_length


def transform(path: Path) -> int:
    with soundfile.SoundFile(path) as file:
        frames = 0
        while len(samples := file.read(2 * WINDOW_SAMPLES, dtype="float32")):
            resampled = soxr.resample(samples, file.samplerate, CONFIG.sample_rate, "HQ")
            padded = np.pad(resampled, CONFIG.n_fft // 2)
            views = np.lib.stride_tricks.sliding_window_view(padded, CONFIG.n_fft)
            frames += len(scipy.fft.rfft(views[:: CONFIG.hop_length]))
        return frames


def main(root: str, threads: str) -> None:
    paths = sorted(Path(root).glob("*_data/*.wav"))
    with ThreadPoolExecutor(int(threads)) as pool:
        print(json.dumps({"frames": sum(pool.map(transform, paths))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
