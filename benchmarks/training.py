"""Training: frames per second of our step and of others', and what a step and a run consist of.

Inversion: CPU seconds for ten seconds of sound, and how far its log-mel is from the inverted one.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import Corpora
from benchmarks.measure import Target, measure
from benchmarks.steps import comparison, costs
from benchmarks.steps.sizes import DEFAULT, FRAMES
from pipelines.text import aligned
from training.config import FrameModelConfig

OURS = "ours: mel power and phases together, float32"
INVERSIONS = {
    "librosa: feature.inverse.mel_to_audio": "by_librosa",
    "two stages: magnitudes, then librosa.griffinlim": "two_stages",
    OURS: "ours",
}
RECORDINGS_INVERTED = 10


def run(corpora: Corpora, folder: Path) -> list[Target]:
    wanted = _training(corpora, folder)
    costs.layers()
    return [*wanted, *_inversion(corpora)]


def _training(corpora: Corpora, folder: Path) -> list[Target]:
    dataset = folder / "training-dataset"
    measure("pipelines", "preprocess", "--input", corpora.ten_hours.root, "--output", dataset,
            "--json")  # fmt: skip
    compared = comparison.compare(dataset, folder)
    print(f"steps of training, {FRAMES} frames a window")
    print(comparison.table(compared))
    return [
        *comparison.targets(compared),
        *costs.stages(dataset, compared[FrameModelConfig().recurrent, DEFAULT].cpu_ms),
        *costs.whole_run(dataset),
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
