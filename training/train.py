"""Training: `fit` over batches, validation, and checkpoints from which it can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from musicnet_duet.outputs import RUN_FILE, RUN_FOLDERS, dataset_around
from musicnet_duet.progress import ProgressDisplay
from schemas import Dataset, Storage
from training.config import FrameModelConfig, LoopConfig, ModelFunction, TrainingConfig
from training.custom_models import blaming, custom_model, load_checkpoint
from training.errors import TrainingError
from training.fitting.batches import reader_state, training_batches
from training.fitting.board import Board
from training.fitting.callbacks import (
    Figures,
    OwnFigures,
    SeedLayers,
    StopAtDivergence,
    ValidateAndSave,
    saving,
)
from training.fitting.checkpoints import Checkpoints, Validations
from training.fitting.compiling import compile_model
from training.fitting.curve import Curve, draw_curve
from training.fitting.metrics import MetricsFile
from training.fitting.scoring import LossValidation, Validation
from training.fitting.stopping import no_longer_improves, stop_signals
from training.grid import dequantize
from training.inversion import mel_to_audio
from training.models.frame_model import FrameModel
from training.models.sampling import SAMPLING_NOISE, sample_levels
from training.process import make_deterministic
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.runs import (
    CHECKPOINTS,
    CURVE,
    METRICS,
    SCORES,
    TENSORBOARD,
    Run,
    is_run,
    read_run,
    write_run,
)

_WINDOWS_SHOWN = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """How a call of `train` ended. Bits are per dimension: per bin of a valid frame.

    A model that is compiled with a loss of its own has that loss instead of bits.
    `frames_per_second` is None where it is unknown: for that model, or without a new step.

    The run has `step` steps; this call did `new_steps` of them. `interrupted` says that a signal
    ended it, `stopped_early` that validations no longer improved. It met `damaged_count` damaged
    windows, and `damaged_windows` describes some of them.
    """

    run_dir: str
    step: int
    new_steps: int
    interrupted: bool
    stopped_early: bool
    validation_bits: float | None
    best_step: int | None
    best_validation_bits: float | None
    validation_loss: float | None
    best_validation_loss: float | None
    frames_per_second: float | None
    seconds: float
    memory_plan: dict[str, int]
    damaged_windows: list[str]
    damaged_count: int


def train(
    data: str,
    run_dir: str,
    model_config: FrameModelConfig | ModelFunction,
    training: TrainingConfig,
    loop: LoopConfig,
    *,
    resume: bool = False,
) -> TrainingResult:
    """Trains until `loop.steps` steps are done, or SIGINT or SIGTERM asks for an end.

    The weights depend on the dataset, `model_config` and `training` alone: however often a run
    was stopped and resumed, the same machine makes the same ones, bit for bit (on a GPU, with
    `training.deterministic`). Raises `TrainingError` when `run_dir` holds a run and `resume` is
    not given, when what it holds was started otherwise, when the memory budget is too small for
    both splits' readers, when the loss is no longer finite, and when something cannot be saved:
    what was saved before that is whole.
    """
    dataset = Dataset(data)
    training = _with_decay_steps(training, loop, run_dir if resume else None)
    run = Run.of(dataset, model_config, training, loop)
    _require_run_dir(run_dir, run, resume)
    if training.deterministic:
        make_deterministic()
    train_reader, validation_reader = open_splits(
        dataset,
        ("train", "validation"),
        batch_size=training.batch_size,
        memory_bytes=loop.memory_bytes,
        seed=training.seed,
    )
    checkpoints = Checkpoints(Path(run_dir) / CHECKPOINTS)
    index = checkpoints.index()
    first_step = index.latest or 0
    if resume:
        run = dataclasses.replace(read_run(run_dir), loop=loop)
    model, run = _model_of(run, checkpoints, first_step)
    is_due = first_step < loop.steps and not no_longer_improves(index.validations, loop.patience)
    if not resume or (is_due and read_run(run_dir) != run):
        write_run(run_dir, run)

    started = time.perf_counter()
    session = _Session(
        run_dir=run_dir,
        run=run,
        model=model,
        train_reader=train_reader,
        validation_reader=validation_reader,
        checkpoints=checkpoints,
        first_step=first_step,
        validations=index.validations,
    )
    if is_due:
        session.fit()
    validations = session.validations
    stopped_early = session.step < loop.steps and no_longer_improves(validations, loop.patience)
    best = best_of(validations)
    return TrainingResult(
        run_dir=run_dir,
        step=session.step,
        new_steps=session.step - first_step,
        interrupted=session.step < loop.steps and not stopped_early,
        stopped_early=stopped_early,
        best_step=best[0],
        **_scores(run.score, validations[-1][1] if validations else None, best[1]),
        frames_per_second=session.frames_per_second,
        seconds=time.perf_counter() - started,
        memory_plan=dataclasses.asdict(
            train_reader.memory_plan() + validation_reader.memory_plan()
        ),
        damaged_windows=train_reader.damaged + validation_reader.damaged,
        damaged_count=train_reader.damaged_count + validation_reader.damaged_count,
    )


def _scores(score: str, last: float | None, best: float | None) -> dict[str, float | None]:
    """The fields of a result for the last and the best validation."""
    found = {f"{each}validation_{name}": None for each in ("", "best_") for name in SCORES}
    return {**found, f"validation_{score}": last, f"best_validation_{score}": best}


def best_of(validations: Validations) -> tuple[int, float] | tuple[None, None]:
    """The step and the score of the best validation, the earliest of equals."""
    return min(validations, key=lambda pair: pair[1], default=(None, None))


def new_model(run: Run) -> FrameModel:
    """The run's model with fresh weights, a function of the run's seed, and with its optimizer.

    Raises `TrainingError` where Keras has another backend than TensorFlow.
    """
    model = FrameModel(run.model)
    model.set_statistics(run.mean_db, run.std_db)
    compile_model(model, run.training)
    return model


def _model_of(run: Run, checkpoints: Checkpoints, step: int) -> tuple[Any, Run]:
    """The model after `step` steps, and the run with the score of that model."""
    if step:
        return load_checkpoint(run, checkpoints, step), run
    return (new_model(run), run) if run.function is None else custom_model(run)


@dataclasses.dataclass(kw_only=True)
class _Session:
    """One call of `train`, from the first of its steps to the last."""

    run_dir: str
    run: Run
    model: Any
    train_reader: Reader
    validation_reader: Reader
    checkpoints: Checkpoints
    first_step: int
    validations: Validations
    frames_per_second: float | None = None

    def __post_init__(self) -> None:
        self.step = self.first_step

    def fit(self) -> None:
        """Steps until all are done or there is a reason to stop; saves what was done."""
        first, folder, run = self.first_step, Path(self.run_dir), self.run
        steps = run.loop.steps
        with contextlib.ExitStack() as stack:
            stop = stack.enter_context(stop_signals())
            stack.enter_context(saving(self.run_dir))
            board = stack.enter_context(Board(folder / TENSORBOARD))
            metrics = MetricsFile(folder / METRICS, done=first)
            shown = stack.enter_context(
                ProgressDisplay("training", unit="steps", total=steps, done=first)
            )
            figures = Figures(
                first,
                run_dir=self.run_dir,
                metrics=metrics,
                board=board,
                shown=shown,
                score=run.score,
            )
            kind = Validation if run.score == "bits" else LossValidation
            keeper = ValidateAndSave(
                first,
                self.validations,
                run_dir=self.run_dir,
                loop=run.loop,
                score=run.score,
                validation=kind(self.model, self.validation_reader),
                checkpoints=self.checkpoints,
                metrics=metrics,
                board=board,
                stop=stop,
            )
            seeds = [] if run.function is None else [SeedLayers(first, run.training.seed)]
            guard = StopAtDivergence(first, self.run_dir, self._describe)
            own = contextlib.nullcontext() if run.function is None else blaming(run.function, "fit")
            with own, self._reading(keeper):
                self.model.fit(
                    training_batches(self.train_reader, run.training, first),
                    epochs=1,
                    steps_per_epoch=steps - first,
                    shuffle=False,
                    verbose=0,
                    callbacks=[*seeds, OwnFigures(), guard, figures, keeper],
                )
            self.step, self.validations = keeper.step, keeper.validations
            if run.score == "bits":
                self.frames_per_second = figures.frames_per_second
            self._draw_curve(folder)
            if self.step == steps and isinstance(self.model, FrameModel):
                self._present(board)

    def _draw_curve(self, folder: Path) -> None:
        lines = Storage(folder).read_bytes(METRICS).splitlines()
        model = self.run.function or " ".join(
            map(str, (self.run.model.recurrent, *self.run.model.units))
        )
        picture = draw_curve(
            Curve.of(lines, self.run.score),
            label={"bits": "bits per dimension", "loss": "loss"}[self.run.score],
            best_step=best_of(self.validations)[0],
            title=f"{folder.resolve().name}: {model}, {self.step} steps",
        )
        Storage(folder).write_bytes(CURVE, picture)

    def _present(self, board: Board) -> None:
        """Adds a free-running sample to TensorBoard, as a picture and as sound."""
        config = self.train_reader.dataset.config
        frames = config.window_frames
        levels = sample_levels(self.model, frames, seeds=[0], noise_level=SAMPLING_NOISE)[0]
        log_mel = dequantize(levels)
        length = (frames - 1) * config.hop_length
        board.picture("free-running sample", self.step, log_mel)
        samples = mel_to_audio(log_mel, config, length=length, seed=0)
        board.sound("free-running sample", self.step, samples, config.sample_rate)

    def _describe(self, step: int) -> str:
        """The recordings and frames of the windows of a step, or of the first of them."""
        batches = iter(self.train_reader)
        batches.set_state(reader_state(self.train_reader, step - 1))
        batch = next(batches)
        columns = (batch[name].tolist() for name in ("recording_id", "first_frame", "valid_frames"))
        windows = [
            f"{name} frames {first} to {first + valid - 1}"
            for name, first, valid in zip(*columns, strict=True)
        ]
        more = len(windows) - _WINDOWS_SHOWN
        shown = windows[:_WINDOWS_SHOWN] + ([f"{more} more windows"] if more > 0 else [])
        return ", ".join(shown)

    @contextlib.contextmanager
    def _reading(self, keeper: ValidateAndSave) -> Iterator[None]:
        """Turns TensorFlow's errors into those that the reader raised within its functions."""
        try:
            yield
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            batches = iter(self.train_reader)
            batches.set_state(reader_state(self.train_reader, keeper.step))
            next(batches)  # Raises what it raised before.
            cause = error.message.split("\n")[0]
            raise TrainingError(
                f"{self.run_dir}: step {keeper.step + 1} failed ({cause}); run the same command "
                "again with resume=True"
            ) from error


def _with_decay_steps(
    training: TrainingConfig, loop: LoopConfig, resumed: str | None
) -> TrainingConfig:
    """The settings with a step at which the decay ends: that of the run that is `resumed`."""
    if training.decay_steps is not None:
        return training
    steps: int | None = loop.steps
    if resumed is not None and is_run(resumed):
        steps = read_run(resumed).training.decay_steps
    return dataclasses.replace(training, decay_steps=steps)


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
    for name in (*RUN_FOLDERS, METRICS, CURVE):
        if not resume and os.path.exists(folder / name):
            raise TrainingError(
                f"{folder / name}: exists, and belongs to no run; choose another run_dir"
            )
