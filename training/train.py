"""Training: steps over batches, validation, and checkpoints from which it can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
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

from musicnet_duet.outputs import RUN_FILE, RUN_FOLDERS, dataset_around
from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset, DatasetError, Storage
from training.board import Board
from training.checkpoints import Checkpoints, Progress
from training.config import LoopConfig, ModelConfig, TrainingConfig
from training.errors import TrainingError
from training.grid import dequantize, quantize
from training.input_noise import draw_input_noise
from training.likelihood import bits, mean_db
from training.model import denoising_negative_log_likelihood, negative_log_likelihood
from training.reading.iterator import BatchIterator
from training.reading.loader import Batch
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.runs import CHECKPOINTS, TENSORBOARD, Run, is_run, read_run, write_run
from training.sampling import sample_levels
from training.trained_model import new_model, set_arrays

MAX_VALIDATION_WINDOWS = 256
"""Validation scores the split's windows in file order, which is shuffled, up to about this many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """How a call of `train` ended. Bits are per dimension: per bin of a valid frame.

    The run has `step` steps; this call did `new_steps` of them. It met `damaged_count` damaged
    windows, and `damaged_windows` describes some of them.
    """

    run_dir: str
    step: int
    new_steps: int
    interrupted: bool
    validation_bits: float | None
    best_step: int | None
    best_validation_bits: float | None
    frames_per_second: float
    seconds: float
    memory_plan: dict[str, int]
    damaged_windows: list[str]
    damaged_count: int


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
    was stopped and resumed, the same machine makes the same ones, bit for bit (on a GPU, after
    `process.make_deterministic`). Raises `TrainingError` when `run_dir` holds a run and `resume` is
    not given, when what it holds was started otherwise, when the memory budget is too small for
    both splits' readers, when the loss is no longer finite, and when something cannot be saved:
    what was saved before that is whole.
    """
    dataset = Dataset(data)
    run = Run.of(dataset, model_config, training)
    _require_run_dir(run_dir, run, resume)
    train_reader, validation_reader = open_splits(
        dataset,
        ("train", "validation"),
        batch_size=training.batch_size,
        memory_bytes=loop.memory_bytes,
        seed=training.seed,
    )

    trainer = Trainer(run)
    checkpoints = Checkpoints(Path(run_dir) / CHECKPOINTS)
    batches = iter(train_reader)
    progress = Progress(0, training.seed, batches.get_state())
    if not resume:
        write_run(run_dir, run)
    elif (latest := checkpoints.latest()) is not None:
        progress = trainer.restore(checkpoints, latest)
        batches.set_state(progress.reader)

    started, first_step = time.perf_counter(), progress.step
    session = _Session(
        run_dir=run_dir,
        run=run,
        loop=loop,
        trainer=trainer,
        batches=batches,
        validation_reader=validation_reader,
        checkpoints=checkpoints,
    )
    if progress.step < loop.steps:
        progress = session.train(progress)

    best = min(progress.validations, key=lambda pair: pair[1], default=(None, None))
    return TrainingResult(
        run_dir=run_dir,
        step=progress.step,
        new_steps=progress.step - first_step,
        interrupted=progress.step < loop.steps,
        validation_bits=progress.validations[-1][1] if progress.validations else None,
        best_step=best[0],
        best_validation_bits=best[1],
        frames_per_second=session.frames_per_second,
        seconds=time.perf_counter() - started,
        memory_plan=dataclasses.asdict(
            train_reader.memory_plan() + validation_reader.memory_plan()
        ),
        damaged_windows=train_reader.damaged + validation_reader.damaged,
        damaged_count=train_reader.damaged_count + validation_reader.damaged_count,
    )


@dataclasses.dataclass(kw_only=True)
class _Session:
    """One call of `train`, from the first of its steps to the last."""

    run_dir: str
    run: Run
    loop: LoopConfig
    trainer: Trainer
    batches: BatchIterator
    validation_reader: Reader
    checkpoints: Checkpoints
    frames: int = 0
    busy_seconds: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.busy_seconds if self.frames else 0.0

    def train(self, progress: Progress) -> Progress:
        """Steps until all are done or a signal asks for an end; saves what was done."""
        steps = self.loop.steps
        with (
            _stop_signals() as stop,
            _saving(),
            Board(Path(self.run_dir) / TENSORBOARD) as board,
            _shown(steps, progress.step) as shown,
        ):
            saved_step = progress.step
            while progress.step < steps and not stop.is_set():
                progress, loss = self._step(progress)
                speed = self.frames_per_second
                rate = self.run.training.learning_rate
                scalars = {"loss": loss, "frames_per_second": speed, "learning_rate": rate}
                board.scalars(progress.step, scalars)
                shown.update(figures=f"bits/dim={loss:.3f}, frames/s={speed:.0f}")
                if progress.step % self.loop.validation_interval == 0 or progress.step == steps:
                    progress = self._validate(progress, board)
                    self._save(progress)
                    saved_step = progress.step
            if progress.step != saved_step:
                self._save(progress)
            if progress.step == steps:
                frames = self.run.features.window_frames
                sample = sample_levels(self.trainer.model, frames, seed=0, temperature=1.0)
                board.picture("free-running sample", steps, dequantize(sample))
        return progress

    def _step(self, progress: Progress) -> tuple[Progress, float]:
        """One step: the progress after it, and its loss in bits per dimension."""
        started = time.perf_counter()
        batch = next(self.batches)
        loss = self.trainer.step(batch)
        self.busy_seconds += time.perf_counter() - started
        self.frames += int(batch["valid_frames"].sum())
        step = progress.step + 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"{self.run_dir}: the loss of step {step} is {loss}: the weights diverged; "
                "start another run with a smaller learning_rate"
            )
        return dataclasses.replace(progress, step=step, reader=self.batches.get_state()), loss

    def _validate(self, progress: Progress, board: Board) -> Progress:
        found = self.trainer.validate(self.validation_reader)
        board.scalars(progress.step, {"validation_bits_per_dimension": found})
        window = next(self.validation_reader.in_order())["log_mel"][0]
        name = "validation: target above one-step-ahead mean"
        board.picture(name, progress.step, window, self.trainer.expected(window))
        validations = (*progress.validations, (progress.step, found))
        return dataclasses.replace(progress, validations=validations)

    def _save(self, progress: Progress) -> None:
        if not is_run(self.run_dir):
            raise TrainingError(
                f"{self.run_dir}: its {RUN_FILE} vanished during training, so nothing can be "
                "saved; start another run"
            )
        self.trainer.save(self.checkpoints, progress)


class Trainer:
    """A model with its optimizer: what a step of training and a checkpoint are made of."""

    def __init__(self, run: Run) -> None:
        self.model = new_model(run)
        # A number would become a variable of Keras's floatx, whatever that is here.
        rate = tf.constant(run.training.learning_rate, tf.float32)
        self._optimizer = keras.optimizers.Adam(
            lambda: rate, global_clipnorm=run.training.clip_norm
        )
        self._optimizer.build(self.model.trainable_variables)
        frames, n_mels = run.features.window_frames, run.model.n_mels
        signature = [
            tf.TensorSpec([None, frames, n_mels], tf.int32),
            tf.TensorSpec([None], tf.int32),
        ]
        self._seed, self._input_noise_db = run.training.seed, run.training.input_noise_db
        self._step = tf.function(self._step_on, input_signature=signature)
        self._negative_log_likelihood = tf.function(
            lambda levels, valid: negative_log_likelihood(self.model, levels, valid),
            input_signature=signature,
        )

    def step(self, batch: Batch) -> float:
        """Changes the weights by one batch; its loss in bits per dimension before the change.

        The loss is that of the noisy inputs and their targets: it is above that of true inputs.
        """
        return float(bits(self._step(*_tensors(batch))))

    def validate(self, reader: Reader) -> float:
        """Bits per dimension of a split, or of about its first `MAX_VALIDATION_WINDOWS`."""
        total, frames = 0.0, 0
        batches = -(-MAX_VALIDATION_WINDOWS // reader.options.batch_size)
        for batch in itertools.islice(reader.in_order(), batches):
            total += float(tf.reduce_sum(self._negative_log_likelihood(*_tensors(batch))))
            frames += int(batch["valid_frames"].sum())
        if not frames:
            raise TrainingError(
                f"every validation window is damaged, the first: {reader.damaged[0]}; "
                "make the dataset again"
            )
        return float(bits(total / frames))

    def expected(self, log_mel: NDArray[Any]) -> NDArray[np.float32]:
        """The mean of each frame given the true frames before it: as `log_mel` [frames, n_mels]."""
        expected: NDArray[np.float32] = mean_db(self.model(quantize(log_mel[np.newaxis]))).numpy()
        return expected[0]

    def save(self, checkpoints: Checkpoints, progress: Progress) -> None:
        optimizer = [variable.numpy() for variable in self._optimizer.variables]
        checkpoints.save(progress, self.model.get_weights(), optimizer)

    def restore(self, checkpoints: Checkpoints, name: str) -> Progress:
        progress, weights, optimizer = checkpoints.load(name)
        set_arrays(self.model.weights, weights, where=f"checkpoint {name}")
        set_arrays(self._optimizer.variables, optimizer, where=f"checkpoint {name}")
        return progress

    def _step_on(self, levels: tf.Tensor, valid_frames: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([self._seed, tf.cast(self._optimizer.iterations, tf.int32)])
        noise_db = draw_input_noise(tf.shape(levels), self._input_noise_db, seed)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(
                denoising_negative_log_likelihood(self.model, levels, valid_frames, noise_db)
            )
            loss = total / tf.cast(tf.reduce_sum(valid_frames), tf.float32)
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


def _tensors(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(quantize(batch["log_mel"])), tf.constant(batch["valid_frames"])


def _require_run_dir(run_dir: str, run: Run, resume: bool) -> None:
    """Raises `TrainingError` unless `run_dir` may become, or is, the folder of this run."""
    folder = Storage(run_dir).local_path()
    if dataset := dataset_around(folder):
        raise TrainingError(f"{run_dir}: {dataset} is a dataset's own folder; choose another")
    if is_run(run_dir):
        if not resume:
            raise TrainingError(
                f"{run_dir}: holds a run already; go on with it (resume=True), or "
                "choose another run_dir"
            )
        read_run(run_dir).require_same(run, where=f"{run_dir}/{RUN_FILE}")
    elif resume:
        raise TrainingError(
            f"{run_dir}: holds no run to resume; leave out resume=True to start one"
        )
    for name in RUN_FOLDERS:
        if not resume and os.path.exists(folder / name):
            raise TrainingError(
                f"{folder / name}: exists, and belongs to no run; choose another run_dir"
            )


@contextlib.contextmanager
def _saving() -> Iterator[None]:
    """Errors of saving say how the run is gone on with, if it can be."""
    try:
        yield
    except DatasetError as error:
        text = str(error)
        if not isinstance(error.__cause__, OSError):
            raise
        if text.endswith("again"):
            text += " with resume=True"
        raise TrainingError(text) from error


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
