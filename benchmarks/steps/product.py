"""The step of `train`, with all its callbacks, on a real reader; but for validation, which is rare.

python -m benchmarks.steps.product DATASET RECURRENT BATCH UNITS...
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import keras

from benchmarks.steps.sizes import Size
from benchmarks.steps.stopwatch import Stopwatch
from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.batches import training_batches
from training.fitting.board import Board
from training.fitting.callbacks import Figures, OwnFigures, StopAtDivergence, ValidateAndSave
from training.fitting.checkpoints import Checkpoints
from training.fitting.metrics import MetricsFile
from training.fitting.scoring import Validation
from training.reading.opening import open_splits
from training.runs import CHECKPOINTS, METRICS, TENSORBOARD, Run, write_run
from training.train import new_model
from training.validation import MAX_STEPS


class Timer(keras.callbacks.Callback):
    """Ends `fit` when enough steps were timed."""

    def __init__(self, watch: Stopwatch) -> None:
        super().__init__()
        self._watch = watch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._watch.step_done():
            self.model.stop_training = True


def time_steps(data: str, recurrent: str, size: Size, folder: Path) -> dict[str, float]:
    """The figures of `Stopwatch` for a step of a run in `folder`."""
    training = TrainingConfig(batch_size=size.batch, decay_steps=LoopConfig().steps)
    dataset = Dataset(data)
    run = Run.of(dataset, FrameModelConfig(recurrent=recurrent, units=size.units), training)
    write_run(folder, run)
    loop = LoopConfig(steps=MAX_STEPS, validation_interval=MAX_STEPS)
    train, validation = open_splits(
        dataset,
        ("train", "validation"),
        batch_size=size.batch,
        memory_bytes=loop.memory_bytes,
        seed=training.seed,
    )
    model = new_model(run)
    metrics, watch = MetricsFile(folder / METRICS, done=0), Stopwatch()
    with (
        Board(folder / TENSORBOARD) as board,
        ProgressDisplay("training", unit="steps", total=loop.steps) as shown,
    ):
        keeper = ValidateAndSave(
            0,
            (),
            run_dir=str(folder),
            loop=loop,
            score=run.score,
            validation=Validation(model, validation),
            checkpoints=Checkpoints(folder / CHECKPOINTS),
            metrics=metrics,
            board=board,
            stop=threading.Event(),
        )
        callbacks = [
            OwnFigures(),
            StopAtDivergence(0, str(folder), str),
            Figures(
                0, run_dir=str(folder), score=run.score, metrics=metrics, board=board, shown=shown
            ),
            keeper,
            Timer(watch),
        ]
        model.fit(
            training_batches(train, training, 0),
            steps_per_epoch=loop.steps,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        return watch.figures()


def main(data: str, recurrent: str, *size: str) -> None:
    with tempfile.TemporaryDirectory(prefix="duet-bench-") as folder:
        print(json.dumps(time_steps(data, recurrent, Size.of(size), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
