"""The step of `train`, with all its callbacks, on a real reader; but for validation, which is rare.

python -m benchmarks.steps.product DATASET RECURRENT BATCH UNITS...
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

from benchmarks.steps.sizes import Size
from benchmarks.steps.stopwatch import Stopwatch
from schemas import Dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.checkpoints import Checkpoints
from training.fitting.session import Session
from training.reading.opening import open_splits
from training.runs import CHECKPOINTS, Run, write_run
from training.train import new_model
from training.validation import MAX_STEPS


class Timer(keras.callbacks.Callback):
    """Ends `fit` when enough steps were timed; `figures` are then those of `Stopwatch`."""

    def __init__(self) -> None:
        super().__init__()
        self._watch = Stopwatch()
        self.figures: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._watch.step_done():
            self.figures = self._watch.figures()
            self.model.stop_training = True


def time_steps(data: str, recurrent: str, size: Size, folder: Path) -> dict[str, float]:
    """The figures of `Stopwatch` for a step of a run in `folder`."""
    training = TrainingConfig(batch_size=size.batch, decay_steps=LoopConfig().steps)
    loop = LoopConfig(steps=MAX_STEPS, validation_interval=MAX_STEPS)
    dataset = Dataset(data)
    run = Run.of(dataset, FrameModelConfig(recurrent=recurrent, units=size.units), training, loop)
    write_run(folder, run)
    train, validation = open_splits(
        dataset,
        ("train", "validation"),
        batch_size=size.batch,
        memory_bytes=loop.memory_bytes,
        seed=training.seed,
    )
    timer = Timer()
    Session(
        run_dir=str(folder),
        run=run,
        model=new_model(run),
        train_reader=train,
        validation_reader=validation,
        checkpoints=Checkpoints(folder / CHECKPOINTS),
        callbacks=[timer],
    ).fit()
    return timer.figures


def main(data: str, recurrent: str, *size: str) -> None:
    with tempfile.TemporaryDirectory(prefix="duet-bench-") as folder:
        print(json.dumps(time_steps(data, recurrent, Size.of(size), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
