"""Checkpoints that exist as a whole or not at all, however the process ends.

    checkpoints/
      index.json             the steps, the best of them, each validation; replaced in one rename
      step-00000100.keras    the model with its optimizer: written aside, synced, renamed

A checkpoint exists once the index names it; one that the index does not name is removed by the next
save, and by the save that could not be finished.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from schemas import Storage
from schemas.errors import DuetError
from schemas.storage import TEMPORARY_PREFIX, sync_folder, writing
from training.errors import TrainingError
from training.models.frame_model import FrameModel

KEPT = 3
"""How many of the latest checkpoints are kept, beside the best one."""

_INDEX = "index.json"
_ENDING = ".keras"
_OWN = re.compile(rf"({re.escape(TEMPORARY_PREFIX)}.*|step-\d+{re.escape(_ENDING)})$")

Validations = tuple[tuple[int, float], ...]


def best_of(validations: Validations) -> tuple[int, float] | tuple[None, None]:
    """The step and the score of the best validation, the earliest of equals."""
    return min(validations, key=lambda pair: pair[1], default=(None, None))


@dataclasses.dataclass(frozen=True)
class Index:
    """Which checkpoints there are: their `steps`, ascending, and which one is the best.

    `validations` are all of the run so far, as (step, bits per dimension).
    """

    steps: tuple[int, ...] = ()
    best: int | None = None
    validations: Validations = ()

    @property
    def latest(self) -> int | None:
        return max(self.steps, default=None)

    def with_checkpoint(self, step: int, validations: Validations) -> Index:
        """The index once a checkpoint of a later step is there, and older ones are removed.

        The best one is that of the best validation, the earliest of equals.
        """
        best = self.best
        if validations and validations[-1][0] == step:
            earlier = [bits for _, bits in validations[:-1]]
            if validations[-1][1] < min(earlier, default=float("inf")):
                best = step
        steps = sorted({*self.steps, step})
        kept = [each for each in steps if each == best or each in steps[-KEPT:]]
        return Index(tuple(kept), best, validations)


class Checkpoints:
    """The checkpoints in one folder: the latest ones, and the best on the validation split."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def index(self) -> Index:
        """Raises `TrainingError` where the folder's index is damaged."""
        path = self._folder / _INDEX
        if not os.path.exists(path):
            return Index()
        try:
            values = json.loads(path.read_bytes())
            return Index(
                steps=tuple(map(int, values["steps"])),
                best=values["best"],
                validations=tuple((int(step), float(bits)) for step, bits in values["validations"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            raise TrainingError(
                f"{path}: not an index of checkpoints: it was edited or damaged; start another run"
            ) from None

    def save(self, step: int, model: Any, validations: Validations) -> None:
        """Writes a checkpoint of `step`, a later one than all others, and removes old ones.

        Where that fails, the other checkpoints are there as before, and nothing of this one. Raises
        `DatasetError` with the path, the cause, and the remedy where the disk is full or the folder
        cannot be written.
        """
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        before = self.index()
        self._prune(before)
        after = before.with_checkpoint(step, validations)
        try:
            self._write(model, self.path(step))
            text = json.dumps(dataclasses.asdict(after)).encode()
            Storage(self._folder).write_bytes(_INDEX, text)
        except BaseException:
            self._prune(self.index())
            raise
        self._prune(after)

    def load(self, step: int) -> FrameModel:
        """The model of a checkpoint, with its optimizer; `TrainingError` where it is damaged."""
        model = self.load_any(step)
        if not isinstance(model, FrameModel):
            raise TrainingError(f"{self.path(step)}: does not hold a FrameModel; start another run")
        return model

    def load_any(self, step: int) -> Any:
        """The same for a `keras.Model` of whatever kind, whose classes Keras knows."""
        path = self.path(step)
        try:
            return keras.models.load_model(path)
        except (DuetError, tf.errors.ResourceExhaustedError):
            raise
        except Exception as error:  # Damage can make Keras raise anything.
            cause = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{path}: this checkpoint cannot be read: {cause}; use another one, or start "
                "another run"
            ) from None

    def path(self, step: int) -> Path:
        return self._folder / f"step-{step:08d}{_ENDING}"

    def _write(self, model: Any, path: Path) -> None:
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
        with writing(path):
            model.save(temporary)
            descriptor = os.open(temporary, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.rename(path)
            sync_folder(self._folder)

    def _prune(self, index: Index) -> None:
        """Removes checkpoints that are not of the index, and what is left of broken saves."""
        kept = {self.path(step).name for step in index.steps}
        for path in self._folder.iterdir():
            if _OWN.match(path.name) and path.name not in kept:
                path.unlink()
