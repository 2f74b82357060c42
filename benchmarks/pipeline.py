"""Preprocessing, as whole processes: ours, the usual Beam pipeline, and the bare arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.corpus import Corpus
from benchmarks.measure import Measured, Target, measure, median
from pipelines.summary import aligned

RUNS = 3


def run(corpus: Corpus, folder: Path) -> list[Target]:
    cores = os.cpu_count() or 1

    def ours(workers: int, features: str, file_format: str) -> list[object]:
        return [
            "pipelines", "preprocess", "--input", corpus.root, "--output", folder / "ours",
            "--format", file_format, "--features", features, "--workers", workers,
            "--overwrite", "--json",
        ]  # fmt: skip

    every = "log_mel,waveform,notes,onsets"
    contenders: dict[str, list[object]] = {
        "usual pipeline, 1 worker": ["benchmarks.usual_pipeline", corpus.root, folder / "usual"],
        "ours, 1 worker, log_mel": ours(1, "log_mel", "tfrecord"),
        f"ours, {cores} workers, log_mel": ours(cores, "log_mel", "tfrecord"),
        f"ours, {cores} workers, all features": ours(cores, every, "tfrecord"),
        f"ours, {cores} workers, all, both formats": ours(cores, every, "both"),
        "limit: read, resample, rfft, 1 thread": ["benchmarks.bare_arithmetic", corpus.root, 1],
        f"limit, {cores} threads": ["benchmarks.bare_arithmetic", corpus.root, cores],
    }
    # In turn, so that a machine whose speed drifts does so for all of them.
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(RUNS):
        for name, command in contenders.items():
            measured[name].append(measure(*command))
    rate = {name: corpus.seconds / median(runs).seconds for name, runs in measured.items()}
    rows = [["", "seconds", "x real time", "peak MB"]]
    for name, runs in measured.items():
        middle = median(runs)
        rows.append(
            [name, f"{middle.seconds:.1f}", f"{rate[name]:,.0f}", f"{middle.peak_megabytes:.0f}"]
        )
    print(f"{corpus.seconds / 3600:.2f} h of 44.1 kHz audio, start-up included, median of {RUNS}")
    print(aligned(rows))
    names = list(rate)
    return [
        Target(
            "preprocessing, 1 worker, to the usual pipeline", rate[names[1]] / rate[names[0]], 1
        ),
        Target("preprocessing, all cores, to the limit", rate[names[2]] / rate[names[6]], 0.2),
    ]
