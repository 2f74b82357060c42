"""Training of a transcriber: one call of `fit`, and thresholds from the validation split."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import keras
import tensorflow as tf

from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.models.schedules import WarmUpCosine
from training.reading.opening import open_splits, require_stored
from training.reading.reader import Reader
from training.runs import require_new, run_versions
from training.transcription.config import TranscriberConfig
from training.transcription.mixing import mixed
from training.transcription.model import OUTPUTS, make_transcriber, transcription_example
from training.transcription.predicting import hear
from training.transcription.run import MODEL_FILE, TranscriberRun, write_run
from training.transcription.scores import best_thresholds, pooled_average_precision

LEARNING_RATE = 1e-2
WARMUP_STEPS = 30
WEIGHT_DECAY = 0.02
CLIP_NORM = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriberTraining:
    """How a call of `train_transcriber` ended.

    `run` is what the folder `run_dir` says. Training met `damaged_count` damaged windows, and
    `damaged_windows` describes some of them.
    """

    run_dir: str
    run: TranscriberRun
    seconds: float
    damaged_windows: list[str]
    damaged_count: int


def train_transcriber(
    data: str,
    run_dir: str,
    config: TranscriberConfig,
    *,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> TranscriberTraining:
    """Trains on the training split, sets thresholds by the validation split, and writes `run_dir`.

    The same dataset and config give the same weights on the same machine (on a GPU, after
    `process.make_deterministic`). Nothing is written before the end. Raises `TrainingError` where
    `run_dir` holds a run, the dataset lacks a feature, the memory budget is too small, or the loss
    is no longer finite.
    """
    require_new(run_dir, files=(MODEL_FILE,))
    dataset = Dataset(data)
    require_stored(dataset, (*config.inputs, *OUTPUTS))
    train_reader, validation_reader = open_splits(
        dataset,
        ("train", "validation"),
        batch_size=config.batch_size,
        memory_bytes=memory_bytes,
        seed=config.seed,
        features=(*config.inputs, *OUTPUTS),
    )
    started = time.perf_counter()
    statistics = dataset.manifest.statistics
    mean, std = (statistics.mean, statistics.std) if statistics is not None else ((), ())
    model = make_transcriber(config, dataset.config, mean, std)
    _fit(model, train_reader, config)
    heard = hear(model, validation_reader)
    run = TranscriberRun(
        config=config,
        features=dataset.config,
        fingerprint=dataset.manifest.fingerprint,
        thresholds=best_thresholds(heard, dataset.config.frames_per_second),
        validation_average_precision=pooled_average_precision(heard),
        packages=run_versions(),
    )
    write_run(run_dir, run, model)
    return TranscriberTraining(
        run_dir=run_dir,
        run=run,
        seconds=time.perf_counter() - started,
        damaged_windows=train_reader.damaged + validation_reader.damaged,
        damaged_count=train_reader.damaged_count + validation_reader.damaged_count,
    )


def _fit(model: keras.Model, reader: Reader, config: TranscriberConfig) -> None:
    model.compile(
        keras.optimizers.AdamW(
            WarmUpCosine(LEARNING_RATE, WARMUP_STEPS, config.steps),
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=CLIP_NORM,
        ),
        {name: keras.losses.BinaryCrossentropy(from_logits=True) for name in OUTPUTS},
    )
    batches = reader.as_tf_dataset(state={"epoch": 0, "position": 0})

    def example(step: tf.Tensor, batch: dict[str, Any]) -> tuple[Any, Any, Any]:
        seed = tf.stack([config.seed, tf.cast(step, tf.int32)])
        return mixed(*transcription_example(batch), seed)

    with ProgressDisplay("training", unit="steps", total=config.steps) as progress:
        model.fit(
            batches.enumerate().map(example),
            steps_per_epoch=config.steps,
            shuffle=False,
            verbose=0,
            callbacks=[_Progress(progress)],
        )


class _Progress(keras.callbacks.Callback):
    """Shows the loss, and ends training where it is not finite."""

    def __init__(self, progress: ProgressDisplay) -> None:
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in step {batch + 1}; use another seed, or look for "
                "windows that are not music with: duet inspect DATASET"
            )
        self._progress.update(figures=f"loss {loss:.4f}")
