"""A run of `train` with the default recipe and interval, what of it validation takes, and sampling.

python -m benchmarks.steps.whole_run DATASET STEPS
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.steps.names import ALL, SAMPLING, VALIDATING
from training.config import (
    FrameModelConfig,
    LoopConfig,
    TrainingConfig,
)
from training.fitting.callbacks import ValidateAndSave
from training.fitting.checkpoints import Checkpoints
from training.fitting.scoring import Validation
from training.models.sampling import SamplingConfig, sample_levels
from training.train import train
from training.trained_model import Trained, load_trained

TIMED = {
    VALIDATING: (ValidateAndSave, "after_step"),
    "of it the scores": (Validation, "bits"),
    "of it the pictures": (Validation, "picture"),
    "of it the checkpoints": (Checkpoints, "save"),
}


def count_seconds(kind: type[Any], method: str) -> list[float]:
    """Makes every call of a method add its duration to the list."""
    seconds: list[float] = []
    plain = getattr(kind, method)

    @functools.wraps(plain)
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return plain(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - started)

    setattr(kind, method, timed)
    return seconds


def sampling_speed(trained: Trained) -> float:
    """Seconds of one piece, as long as a window, that are sampled in a second once compiled."""
    frames = trained.run.features.window_frames
    for seed in (0, 1):
        started = time.perf_counter()
        sample_levels(trained.model, frames, seeds=[seed], config=SamplingConfig.for_music())
    seconds = time.perf_counter() - started
    return frames / trained.run.features.frames_per_second / seconds


def main(data: str, steps: str) -> None:
    spent = {name: count_seconds(*where) for name, where in TIMED.items()}
    loop = LoopConfig(steps=int(steps))
    training = TrainingConfig(decay_steps=LoopConfig().steps)
    with tempfile.TemporaryDirectory(prefix="duet-bench-") as folder:
        run_dir = str(Path(folder) / "run")
        result = train(data, run_dir, FrameModelConfig(), training, loop)
        speed = sampling_speed(load_trained(run_dir))
    seconds = {name: sum(each) for name, each in spent.items()}
    print(json.dumps({ALL: result.seconds, **seconds, SAMPLING: speed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
