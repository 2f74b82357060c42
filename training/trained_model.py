"""Models of runs: new ones, and trained ones from the folder of a run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from training.checkpoints import Checkpoints
from training.errors import TrainingError
from training.model import SpectrogramModel
from training.runs import CHECKPOINTS, Run, read_run


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A model with the weights of the best checkpoint on the validation split."""

    run: Run
    model: SpectrogramModel
    checkpoint: str
    step: int


def new_model(run: Run) -> SpectrogramModel:
    """The run's model with fresh weights, a function of the run's seed.

    Raises `TrainingError` where Keras has another backend than TensorFlow.
    """
    return SpectrogramModel(run.model, run.mean_db, run.std_db, seed=run.training.seed)


def load_trained(folder: str | PathLike[str]) -> Trained:
    """The best checkpoint of a run on the validation split.

    Raises `TrainingError` where there is no run, or one without a checkpoint.
    """
    run = read_run(folder)
    checkpoints = Checkpoints(Path(folder) / CHECKPOINTS)
    name = checkpoints.best()
    if name is None:
        raise TrainingError(
            f"{folder}: this run has no checkpoint yet; resume it with: "
            f"duet train --data DATASET --run {shlex.quote(str(folder))} --resume"
        )
    progress, weights, _ = checkpoints.load(name)
    model = new_model(run)
    set_arrays(model.weights, weights, where=str(Path(folder) / CHECKPOINTS / name))
    return Trained(run, model, name, progress.step)


def set_arrays(variables: Sequence[Any], arrays: Sequence[NDArray[Any]], *, where: str) -> None:
    """Assigns arrays to variables; `TrainingError` where they are not of the variables' shapes."""
    if [tuple(each.shape) for each in variables] != [each.shape for each in arrays]:
        raise TrainingError(f"{where}: was made by another version of this code; start another run")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
