"""Checkpoints that are there whole or not at all, however the process ends.

    checkpoints/
      index.json           {"latest": NAME, "best": NAME or null}, replaced in one rename
      step-00000100/       NAME: written under another name, synced, renamed
        arrays.npz         the weights of the model and the variables of the optimizer, in order
        state.json         `Progress`

A checkpoint exists once the index names it; one that the index does not name is removed by the next
save, and by the save that could not be finished.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import Storage
from schemas.storage import TEMPORARY_PREFIX, sync_folder, writing
from training.errors import TrainingError

_INDEX = "index.json"
_ARRAYS = "arrays.npz"
_STATE = "state.json"
_OWN = re.compile(rf"({re.escape(TEMPORARY_PREFIX)}.*|step-\d+)$")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is: steps done, the reader's state, and each validation so far.

    `seed` is what the initial weights and the order of the windows were made from: with `step` and
    `reader` it is the state of everything random. `validations` are (step, bits per dimension).
    """

    step: int
    seed: int
    reader: dict[str, int]
    validations: tuple[tuple[int, float], ...] = ()

    @property
    def is_best(self) -> bool:
        """Whether the last validation is of this step and no other was as good."""
        if not self.validations or self.validations[-1][0] != self.step:
            return False
        earlier = [bits for _, bits in self.validations[:-1]]
        return self.validations[-1][1] < min(earlier, default=float("inf"))


class Checkpoints:
    """The checkpoints in one folder: the latest, and the best on the validation split."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(
        self,
        progress: Progress,
        weights: Sequence[NDArray[Any]],
        optimizer: Sequence[NDArray[Any]],
    ) -> None:
        """Writes a checkpoint, makes it the latest (and the best, if it is) and prunes others.

        A step is saved once: the next checkpoint is of a later one. Where that fails, the last
        checkpoint is there as before, and nothing of this one. Raises `DatasetError` with the path,
        the cause, and the remedy where the disk is full or the folder cannot be written.
        """
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        index = self._index()
        self._prune(*index.values())
        name = f"step-{progress.step:08d}"
        best = name if progress.is_best else index["best"]
        try:
            self._write(name, progress, weights, optimizer)
            text = json.dumps({"latest": name, "best": best}).encode()
            Storage(self._folder).write_bytes(_INDEX, text)
        except BaseException:
            self._prune(*self._index().values())
            raise
        self._prune(name, best)

    def latest(self) -> str | None:
        """The name of the latest checkpoint, None where there is none yet."""
        return self._index()["latest"]

    def best(self) -> str | None:
        """The name of the best one on the validation split; of the latest before any validation."""
        index = self._index()
        return index["best"] or index["latest"]

    def load(self, name: str) -> tuple[Progress, list[NDArray[Any]], list[NDArray[Any]]]:
        """Progress, weights and optimizer variables; `TrainingError` where they are damaged."""
        folder = self._folder / name
        try:
            values = json.loads((folder / _STATE).read_bytes())
            validations = tuple((step, bits) for step, bits in values.pop("validations"))
            with np.load(folder / _ARRAYS) as arrays:
                found = {key: arrays[key] for key in arrays.files}
            return (
                Progress(**values, validations=validations),
                [found[f"weight_{number}"] for number in range(_count(found, "weight_"))],
                [found[f"optimizer_{number}"] for number in range(_count(found, "optimizer_"))],
            )
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise TrainingError(
                f"{folder}: this checkpoint cannot be read: {error}; start another run"
            ) from None

    def _write(
        self,
        name: str,
        progress: Progress,
        weights: Sequence[NDArray[Any]],
        optimizer: Sequence[NDArray[Any]],
    ) -> None:
        temporary, final = self._folder / f"{TEMPORARY_PREFIX}{name}", self._folder / name
        arrays = {f"weight_{number}": array for number, array in enumerate(weights)}
        arrays |= {f"optimizer_{number}": array for number, array in enumerate(optimizer)}
        storage = Storage(temporary)
        with storage.create(_ARRAYS) as file:
            np.savez(file, allow_pickle=False, **arrays)
        with storage.create(_STATE) as file:
            file.write(json.dumps(dataclasses.asdict(progress)).encode())
        with writing(final):
            temporary.rename(final)
            sync_folder(self._folder)

    def _prune(self, *kept: str | None) -> None:
        """Removes checkpoints other than those kept, and what is left of broken saves."""
        for path in self._folder.iterdir():
            if _OWN.match(path.name) and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def _index(self) -> dict[str, str | None]:
        path = self._folder / _INDEX
        if not os.path.exists(path):
            return {"latest": None, "best": None}
        try:
            index = json.loads(path.read_bytes())
            return {"latest": index["latest"], "best": index["best"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise TrainingError(
                f"{path}: not an index of checkpoints: it was edited or damaged; start another run"
            ) from None


def _count(names: Any, prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
