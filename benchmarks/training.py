"""Training: frames per second of our step, of a plain Keras model, and of bare products."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import Corpora
from benchmarks.measure import Target, measure
from pipelines.text import aligned

WAYS = {
    "plain Keras: GRU, Dense, squared error": "plain",
    "ours: GRU, mixture of logistics": "ours",
    "limit: the model's matrix products alone": "products",
}


def run(corpora: Corpora, folder: Path) -> list[Target]:
    rates = {
        name: measure("benchmarks.train_steps", way).result["frames_per_second"]
        for name, way in WAYS.items()
    }
    rows = [["", "frames/s"], *([name, f"{rate:,.0f}"] for name, rate in rates.items())]
    print("GRU of 256 units, batch of 8 windows of 430 frames")
    print(aligned(rows))
    plain, ours, products = rates.values()
    return [
        Target("training, to plain Keras with a squared error", ours / plain, 0.4),
        Target("training, to the limit", ours / products, 0.05),
    ]
