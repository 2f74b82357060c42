"""What a run came to: its figures, and the variables of its latest checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from training.fitting.checkpoints import Checkpoints
from training.runs import CHECKPOINTS, METRICS


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
