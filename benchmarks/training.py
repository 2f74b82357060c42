"""Training: frames per second of our step, of plain Keras models, and of bare products.

Inversion: CPU seconds for ten seconds of sound, and how far its log-mel is from the inverted one.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import Corpora
from benchmarks.measure import Target, measure
from pipelines.text import aligned

WAYS = {
    "plain Keras: GRU, Dense, squared error": "plain",
    "the same with our GRU": "fast",
    "ours: GRU, chained mixtures of logistics": "ours",
    "limit: the model's matrix products alone": "products",
}

OURS = "ours: mel power and phases together, float32"
INVERSIONS = {
    "librosa: feature.inverse.mel_to_audio": "by_librosa",
    "two stages: magnitudes, then librosa.griffinlim": "two_stages",
    OURS: "ours",
}
RECORDINGS_INVERTED = 10


def run(corpora: Corpora, folder: Path) -> list[Target]:
    return [*_training(), *_inversion(corpora)]


def _training() -> list[Target]:
    rates = {
        name: measure("benchmarks.train_steps", way).result["frames_per_second"]
        for name, way in WAYS.items()
    }
    rows = [["", "frames/s"], *([name, f"{rate:,.0f}"] for name, rate in rates.items())]
    print("GRU of 256 units, batch of 8 windows of 430 frames")
    print(aligned(rows))
    plain, _, ours, products = rates.values()
    return [
        Target("training, to plain Keras with a squared error", ours / plain, 0.4),
        Target("training, to the limit", ours / products, 0.05),
    ]


def _inversion(corpora: Corpora) -> list[Target]:
    recordings = sorted(corpora.two_hours.root.glob("*_data/*.wav"))[:RECORDINGS_INVERTED]
    results = {
        name: measure("benchmarks.inversion", way, *recordings).result
        for name, way in INVERSIONS.items()
    }
    rows = [
        ["", "CPU s", "dB"],
        *(
            [name, f"{result['cpu_seconds']:.2f}", f"{result['mel_error_db']:.2f}"]
            for name, result in results.items()
        ),
    ]
    print(f"inversion of 10 s of sound; mel error over {len(recordings)} recordings")
    print(aligned(rows))
    seconds, error = results[OURS]["cpu_seconds"], results[OURS]["mel_error_db"]
    return [
        Target("inversion, CPU seconds for 10 s of sound", seconds, 1.5, at_most=True),
        Target("inversion, mel error in dB", error, 0.75, at_most=True),
    ]
