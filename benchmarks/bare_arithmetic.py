"""The limit: reading, soxr and the FFT of every frame, on all cores, and nothing else."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
import soxr

from pipelines.writing.allocator import keep_freed_memory
from schemas import FeatureConfig

CONFIG = FeatureConfig()
WINDOW_SAMPLES = CONFIG.window_frames * CONFIG.hop_length


def transform(path: Path) -> int:
    keep_freed_memory()
    with soundfile.SoundFile(path) as file:
        frames = 0
        while len(samples := file.read(2 * WINDOW_SAMPLES, dtype="float32")):
            resampled = soxr.resample(samples, file.samplerate, CONFIG.sample_rate, "HQ")
            views = np.lib.stride_tricks.sliding_window_view(resampled, CONFIG.n_fft)
            frames += len(scipy.fft.rfft(views[:: CONFIG.hop_length]))
        return frames


def main(root: str, workers: str) -> None:
    paths = sorted(Path(root).glob("*_data/*.wav"))
    with ProcessPoolExecutor(int(workers)) as pool:
        print(json.dumps({"frames": sum(pool.map(transform, paths))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
