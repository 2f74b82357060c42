"""The step of `train` at an earlier commit, by its own code and reader, with all it does a step.

    PYTHONPATH=ITS_TREE python -P benchmarks/steps/earlier.py DATASET RECURRENT BATCH UNITS...

What is imported is that tree's.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

SIBLINGS = Path(__file__).parent


def time_steps(data: str, kind: str, batch: int, units: tuple[int, ...]) -> dict[str, float]:
    """The figures of `Stopwatch`."""
    config, reader, runs, train = map(
        importlib.import_module,
        ("training.config", "training.reader", "training.runs", "training.train"),
    )
    training = config.TrainingConfig(batch_size=batch)
    manifest = importlib.import_module("schemas").Dataset(data).manifest
    run = runs.Run.of(manifest, config.ModelConfig(kind=kind, units=units), training)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(training.seed)
    trainer = train.Trainer(run)
    batches = iter(reader.open_dataset(data, "train", batch_size=batch, seed=training.seed))
    timed: Any = runpy.run_path(str(SIBLINGS / "stopwatch.py"))["timed"]
    return timed(lambda: trainer.step(next(batches)))


def main(data: str, kind: str, batch: str, *units: str) -> None:
    print(json.dumps(time_steps(data, kind, int(batch), tuple(map(int, units)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
