"""A run of `train` with the default recipe and interval, and what of it validation takes.

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

from benchmarks.steps.names import ALL, VALIDATING
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.callbacks import ValidateAndSave
from training.fitting.checkpoints import Checkpoints
from training.fitting.scoring import Validation
from training.train import train

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


def main(data: str, steps: str) -> None:
    spent = {name: count_seconds(*where) for name, where in TIMED.items()}
    loop = LoopConfig(steps=int(steps))
    training = TrainingConfig(decay_steps=LoopConfig().steps)
    with tempfile.TemporaryDirectory(prefix="duet-bench-") as folder:
        run_dir = str(Path(folder) / "run")
        result = train(data, run_dir, FrameModelConfig(), training, loop)
    seconds = {name: sum(each) for name, each in spent.items()}
    print(json.dumps({ALL: result.seconds, **seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
