"""Trained models from the folders of runs."""

from __future__ import annotations

import dataclasses
import shlex
from os import PathLike
from pathlib import Path
from typing import Any

from training.config import CHECKPOINTS_BY_NAME, DEFAULT_CHECKPOINT, RECURRENT
from training.custom_models import load_checkpoint
from training.errors import TrainingError
from training.fitting.checkpoints import Checkpoints, Index
from training.models.frame_model import FrameModel
from training.process import require_tensorflow_backend
from training.runs import CHECKPOINTS, Run, read_run
from training.validation import shown


@dataclasses.dataclass(frozen=True, eq=False)
class Predictor:
    """A model of one checkpoint that gives packed mixtures, averaged if the run averages them."""

    run: Run
    model: Any
    checkpoint: str
    step: int


@dataclasses.dataclass(frozen=True, eq=False)
class Trained(Predictor):
    """The same for a model that can be sampled."""

    model: FrameModel


def load_trained(
    folder: str | PathLike[str], checkpoint: str | int = DEFAULT_CHECKPOINT
) -> Trained:
    """A checkpoint of a run: the `last`, the `best` on the validation split, or that of a step.

    Before any validation, the last one counts as the best. Raises `TrainingError` where there is no
    run, no such checkpoint, or it is damaged, where the run's model is the user's own, and where
    Keras has another backend than TensorFlow.
    """
    require_tensorflow_backend()
    run = read_run(folder)
    if run.function is not None:
        raise TrainingError(
            f"{folder}: cannot be sampled, since its model is {run.function}; use a run whose "
            f"model is {', '.join(RECURRENT[:-1])} or {RECURRENT[-1]}"
        )
    found = _predictor(run, folder, checkpoint)
    return Trained(found.run, found.model, found.checkpoint, found.step)


def load_predictor(
    folder: str | PathLike[str], checkpoint: str | int = DEFAULT_CHECKPOINT
) -> Predictor:
    """The same for a run whose model may be the user's own.

    Raises `TrainingError` also where that is compiled with a loss of its own, so that it does not
    give packed mixtures.
    """
    require_tensorflow_backend()
    run = read_run(folder)
    if run.score != "bits":
        raise TrainingError(
            f"{folder}: has no bits per dimension, since {run.function} is compiled with a loss of "
            "its own; train a model that is not compiled and gives packed mixtures"
        )
    return _predictor(run, folder, checkpoint)


def _predictor(run: Run, folder: str | PathLike[str], checkpoint: str | int) -> Predictor:
    checkpoints = Checkpoints(Path(folder) / CHECKPOINTS)
    step = _step_of(checkpoints.index(), checkpoint, str(folder))
    model = load_checkpoint(run, checkpoints, step)
    if run.function is None and model.config != run.model:
        raise TrainingError(
            f"{checkpoints.path(step)}: this checkpoint is not of the model in {folder}; start "
            "another run"
        )
    model.optimizer.finalize_variable_values(model.trainable_variables)
    return Predictor(run, model, checkpoints.path(step).stem, step)


def _step_of(index: Index, checkpoint: str | int, folder: str) -> int:
    if index.latest is None:
        raise TrainingError(
            f"{folder}: this run has no checkpoint yet; resume it with: "
            f"duet train --data DATASET --run {shlex.quote(folder)} --resume"
        )
    if checkpoint == "best":
        return index.latest if index.best is None else index.best
    if checkpoint == "last":
        return index.latest
    text = str(checkpoint)
    if text.isdecimal() and int(text) in index.steps:
        return int(text)
    raise TrainingError(
        f"{folder}: has no checkpoint {shown(checkpoint)}; choose one of "
        f"{', '.join([*CHECKPOINTS_BY_NAME, *map(str, index.steps)])}"
    )
