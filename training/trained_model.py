"""A trained model, as it is found in the folder of its run."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path

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
    """The run's model with fresh weights."""
    return SpectrogramModel(run.model, run.mean_db, run.std_db)


def load_trained(folder: str | PathLike[str]) -> Trained:
    """Raises `TrainingError` where there is no run, or one without a checkpoint."""
    run = read_run(folder)
    checkpoints = Checkpoints(Path(folder) / CHECKPOINTS)
    name = checkpoints.best()
    if name is None:
        raise TrainingError(
            f"{folder}: this run has no checkpoint yet; go on with: "
            "python -m training train --resume"
        )
    progress, weights, _ = checkpoints.load(name)
    model = new_model(run)
    model.set_weights(weights)
    return Trained(run, model, name, progress.step)
