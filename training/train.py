"""Training: steps over batches, validation, checkpoints, and an end that can be gone on from."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from duet.progress import ProgressDisplay
from schemas import Dataset
from training.checkpoints import Checkpoints, Progress
from training.config import LoopConfig, ModelConfig, TrainingConfig
from training.errors import TrainingError
from training.grid import dequantize, quantize
from training.input_noise import draw_input_noise
from training.likelihood import bits, mean_db
from training.model import (
    SpectrogramModel,
    negative_log_likelihood,
    negative_log_likelihood_of_return,
)
from training.plots import colorize
from training.reader import Batch, Reader, open_splits
from training.runs import CHECKPOINTS, RUN_FILE, TENSORBOARD, Run, is_run, read_run, write_run
from training.sampling import sample_levels
from training.trained_model import new_model

MAX_VALIDATION_WINDOWS = 256
"""Validation scores the split's windows in file order, which is shuffled, up to about this many."""


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """How a call of `train` ended. Bits are per dimension: per bin of a valid frame."""

    run_dir: str
    step: int
    interrupted: bool
    validation_bits: float | None
    best_step: int | None
    best_validation_bits: float | None
    frames_per_second: float
    seconds: float
    memory_plan: dict[str, int]
    damaged_windows: list[str]


def train(
    data: str,
    run_dir: str,
    model_config: ModelConfig,
    training: TrainingConfig,
    loop: LoopConfig,
    *,
    resume: bool = False,
) -> TrainingResult:
    """Trains until `loop.steps` steps are done, or SIGINT or SIGTERM asks for an end.

    The weights depend on the dataset, `model_config` and `training` alone: however often a run
    was stopped and resumed, the same machine makes the same ones, bit for bit. Raises
    `TrainingError` when `run_dir` holds a run and `resume` is not given, when what it holds was
    started otherwise, when the memory budget is too small for both splits' readers, and when the
    loss is no longer finite.
    """
    run = Run.of(Dataset(data).manifest, model_config, training)
    _require_place(run_dir, run, resume)
    train_reader, validation_reader = open_splits(
        data,
        ("train", "validation"),
        batch_size=training.batch_size,
        memory_bytes=loop.memory_bytes,
        seed=training.seed,
    )

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(training.seed)
    trainer = Trainer(run)
    checkpoints = Checkpoints(Path(run_dir) / CHECKPOINTS)
    batches = iter(train_reader)
    progress = Progress(0, training.seed, batches.get_state())
    if not resume:
        write_run(run_dir, run)
    elif (latest := checkpoints.latest()) is not None:
        progress = trainer.restore(checkpoints, latest)
        batches.set_state(progress.reader)

    started, busy_seconds, frames = time.perf_counter(), 0.0, 0
    with _stop_signals() as stop, _board(run_dir), _shown(loop.steps, progress.step) as shown:
        saved_step = progress.step
        while progress.step < loop.steps and not stop.is_set():
            step_started = time.perf_counter()
            batch = next(batches)
            loss = trainer.step(batch)
            busy_seconds += time.perf_counter() - step_started
            step = progress.step + 1
            if not math.isfinite(loss):
                raise TrainingError(
                    f"{run_dir}: the loss of step {step} is {loss}: the weights have run away; "
                    "start another run with a smaller --learning-rate"
                )
            progress = dataclasses.replace(progress, step=step, reader=batches.get_state())
            frames += int(batch["valid_frames"].sum())
            speed = frames / busy_seconds
            shown.update(figures=f"bits/dim={loss:.3f}, frames/s={speed:.0f}")
            _write_scalars(
                step,
                {"loss": loss, "frames_per_second": speed, "learning_rate": training.learning_rate},
            )
            if step % loop.validation_interval == 0 or step == loop.steps:
                found = trainer.validate(validation_reader)
                validations = (*progress.validations, (step, found))
                progress = dataclasses.replace(progress, validations=validations)
                _write_scalars(step, {"validation_bits_per_dimension": found})
                _write_expectation(step, trainer.model, validation_reader)
                trainer.save(checkpoints, progress)
                saved_step = step
        if progress.step != saved_step:
            trainer.save(checkpoints, progress)
        if progress.step == loop.steps:
            _write_sample(progress.step, trainer.model, run.features.window_frames)

    best = min(progress.validations, key=lambda pair: pair[1], default=(None, None))
    return TrainingResult(
        run_dir=run_dir,
        step=progress.step,
        interrupted=progress.step < loop.steps,
        validation_bits=progress.validations[-1][1] if progress.validations else None,
        best_step=best[0],
        best_validation_bits=best[1],
        frames_per_second=frames / busy_seconds if frames else 0.0,
        seconds=time.perf_counter() - started,
        memory_plan=dataclasses.asdict(
            train_reader.memory_plan() + validation_reader.memory_plan()
        ),
        damaged_windows=train_reader.damaged + validation_reader.damaged,
    )


class Trainer:
    """A model with its optimizer: what a step of training and a checkpoint are made of."""

    def __init__(self, run: Run) -> None:
        self.model = new_model(run)
        self._optimizer = keras.optimizers.Adam(
            run.training.learning_rate, global_clipnorm=run.training.clip_norm
        )
        self._optimizer.build(self.model.trainable_variables)
        frames, n_mels = run.features.window_frames, run.model.n_mels
        signature = [
            tf.TensorSpec([None, frames, n_mels], tf.int32),
            tf.TensorSpec([None], tf.int32),
        ]
        self._seed, self._drift_db = run.training.seed, run.training.input_noise_db
        self._step = tf.function(self._step_on, input_signature=signature)
        self._nats = tf.function(
            lambda levels, valid: negative_log_likelihood(self.model, levels, valid),
            input_signature=signature,
        )

    def step(self, batch: Batch) -> float:
        """Changes the weights by one batch; its loss in bits per dimension before the change.

        The loss is of what was heard, errors included: it is above that of the true levels.
        """
        return float(bits(self._step(*_tensors(batch))))

    def validate(self, reader: Reader) -> float:
        """Bits per dimension of a split, or of about its first `MAX_VALIDATION_WINDOWS`."""
        total, frames = 0.0, 0
        batches = -(-MAX_VALIDATION_WINDOWS // reader.batch_size)
        for batch in itertools.islice(reader.in_order(), batches):
            total += float(tf.reduce_sum(self._nats(*_tensors(batch))))
            frames += int(batch["valid_frames"].sum())
        if not frames:
            raise TrainingError(f"every validation window is damaged: {reader.damaged[0]}")
        return float(bits(total / frames))

    def save(self, checkpoints: Checkpoints, progress: Progress) -> None:
        optimizer = [variable.numpy() for variable in self._optimizer.variables]
        checkpoints.save(progress, self.model.get_weights(), optimizer)

    def restore(self, checkpoints: Checkpoints, name: str) -> Progress:
        progress, weights, optimizer = checkpoints.load(name)
        self.model.set_weights(weights)
        for variable, value in zip(self._optimizer.variables, optimizer, strict=True):
            variable.assign(value)
        return progress

    def _step_on(self, levels: tf.Tensor, valid_frames: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([self._seed, tf.cast(self._optimizer.iterations, tf.int32)])
        drift = draw_input_noise(tf.shape(levels), self._drift_db, seed)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(
                negative_log_likelihood_of_return(self.model, levels, valid_frames, drift)
            )
            loss = total / tf.cast(tf.reduce_sum(valid_frames), tf.float32)
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


def _tensors(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(quantize(batch["log_mel"])), tf.constant(batch["valid_frames"])


def _require_place(run_dir: str, run: Run, resume: bool) -> None:
    if is_run(run_dir):
        if not resume:
            raise TrainingError(
                f"{run_dir}: holds a run already; go on with it (--resume) or choose another --run"
            )
        read_run(run_dir).require_same(run, where=f"{run_dir}/{RUN_FILE}")
    elif resume:
        raise TrainingError(f"{run_dir}: holds no run to resume; leave out --resume to start one")


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one of them acts as usual."""
    stop = threading.Event()
    usual: dict[int, Any] = {}

    def restore() -> None:
        while usual:
            signal.signal(*usual.popitem())

    def handle(number: int, frame: object) -> None:
        stop.set()
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            usual[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()


def _shown(steps: int, done: int) -> ProgressDisplay:
    return ProgressDisplay("training", unit="steps", total=steps, done=done)


@contextlib.contextmanager
def _board(run_dir: str) -> Iterator[None]:
    """Makes `tf.summary` write to the run's folder, and flushes it at the end."""
    writer = tf.summary.create_file_writer(str(Path(run_dir) / TENSORBOARD))
    with writer.as_default():
        yield
    writer.close()


def _write_scalars(step: int, values: dict[str, float]) -> None:
    for name, value in values.items():
        tf.summary.scalar(name, value, step=step)


def _write_expectation(step: int, model: SpectrogramModel, reader: Reader) -> None:
    """A validation window above what the model expected of each of its frames."""
    window = next(reader.in_order())["log_mel"][0]
    expected = mean_db(model(quantize(window[np.newaxis]))).numpy()[0]
    _write_picture("validation: target above one-step-ahead mean", step, window, expected)


def _write_sample(step: int, model: SpectrogramModel, frames: int) -> None:
    levels = sample_levels(model, frames, seed=0, temperature=1.0)
    _write_picture("free-running sample", step, dequantize(levels))


def _write_picture(name: str, step: int, *spectrograms: NDArray[Any]) -> None:
    top_db = float(spectrograms[0].max())
    image = np.concatenate([colorize(log_mel, top_db) for log_mel in spectrograms])
    tf.summary.image(name, image[np.newaxis], step=step)
