"""Small runs, and what they came to: figures, and the variables of the latest checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.checkpoints import Checkpoints
from training.runs import CHECKPOINTS, METRICS
from training.train import TrainingResult, train

MODEL = FrameModelConfig(units=(8,))
TRAINING = TrainingConfig(batch_size=4, seed=3, warmup_steps=5, decay_steps=40, deterministic=True)


def run(
    data: Path,
    run_dir: Path,
    steps: int,
    *,
    model: FrameModelConfig = MODEL,
    training: TrainingConfig = TRAINING,
    resume: bool = False,
    **loop: Any,
) -> TrainingResult:
    """Trains a run for some steps, or resumes it."""
    loops = LoopConfig(**{"steps": steps, "validation_interval": 4, **loop})
    return train(str(data), str(run_dir), model, training, loops, resume=resume)


def latest(run_dir: Path) -> tuple[int, list[np.ndarray]]:
    """The step of the latest checkpoint, and the variables of its model and optimizer."""
    checkpoints = Checkpoints(run_dir / CHECKPOINTS)
    step = checkpoints.index().latest
    assert step is not None
    model = checkpoints.load(step)
    variables = [*model.weights, *model.optimizer.variables]
    return step, [variable.numpy() for variable in variables]


def figures(run_dir: Path) -> list[dict[str, float]]:
    """The figures of each training step."""
    lines = map(json.loads, (run_dir / METRICS).read_text().splitlines())
    return [line for line in lines if "bits" in line]


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Equal figures of each step, and equal weights and optimizer variables, bit for bit."""
    (my_step, my_arrays), (step, arrays) = latest(ours), latest(theirs)
    assert my_step == step
    assert figures(ours) == figures(theirs)
    assert [line["step"] for line in figures(ours)] == list(range(1, step + 1))
    for array, expected in zip(my_arrays, arrays, strict=True):
        np.testing.assert_array_equal(array, expected)
