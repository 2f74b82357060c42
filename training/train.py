"""Training: `fit` over batches, validation, and checkpoints from which it can be resumed."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from musicnet_duet.outputs import RUN_FILE, RUN_FOLDERS
from schemas import Dataset
from training.config import FrameModelConfig, LoopConfig, ModelFunction, TrainingConfig
from training.custom_models import custom_model, load_checkpoint
from training.errors import TrainingError
from training.fitting.checkpoints import Checkpoints, best_of
from training.fitting.compiling import compile_model
from training.fitting.session import Fitted, Session
from training.fitting.stopping import no_longer_improves
from training.fitting.templates import fit_templates
from training.models.frame_model import FrameModel
from training.process import make_deterministic
from training.reading.opening import open_splits
from training.runs import (
    CHECKPOINTS,
    CURVE,
    METRICS,
    SCORES,
    Run,
    is_run,
    read_run,
    require_new,
    require_outside_datasets,
    write_run,
)


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
        features=run.model.features,
    )
    checkpoints = Checkpoints(Path(run_dir) / CHECKPOINTS)
    index = checkpoints.index()
    first_step = index.latest or 0
    if resume:
        run = dataclasses.replace(read_run(run_dir), loop=loop)
    model, run = _model_of(run, checkpoints, first_step)
    if not first_step and "notes" in run.model.hears:
        fit_templates(model, train_reader)
    is_due = first_step < loop.steps and not no_longer_improves(index.validations, loop.patience)
    if not resume or (is_due and read_run(run_dir) != run):
        write_run(run_dir, run)

    started = time.perf_counter()
    fitted = Fitted(first_step, index.validations, None)
    if is_due:
        fitted = Session(
            run_dir=run_dir,
            run=run,
            model=model,
            train_reader=train_reader,
            validation_reader=validation_reader,
            checkpoints=checkpoints,
            first_step=first_step,
            validations=index.validations,
        ).fit()
    validations = fitted.validations
    stopped_early = fitted.step < loop.steps and no_longer_improves(validations, loop.patience)
    best = best_of(validations)
    return TrainingResult(
        run_dir=run_dir,
        step=fitted.step,
        new_steps=fitted.step - first_step,
        interrupted=fitted.step < loop.steps and not stopped_early,
        stopped_early=stopped_early,
        best_step=best[0],
        **_scores(run.score, validations[-1][1] if validations else None, best[1]),
        frames_per_second=fitted.frames_per_second,
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
    if resume:
        require_outside_datasets(run_dir)
        if not is_run(run_dir):
            raise TrainingError(
                f"{run_dir}: holds no run to resume; leave out resume=True to start one"
            )
        read_run(run_dir).require_same(run, where=f"{run_dir}/{RUN_FILE}")
        return
    if is_run(run_dir):
        raise TrainingError(
            f"{run_dir}: holds a run already; go on with it (resume=True), or choose another "
            "run_dir"
        )
    require_new(run_dir, files=(*RUN_FOLDERS, METRICS, CURVE))
