"""The folder of a composer's run.

RUN/
  composer.json   the settings (model, training), and what they met: the frames of the dataset, its
                  fingerprint, the number of MIDI files, and the versions of Python and of packages
  model.keras     the trained model, which `keras.models.load_model` loads
  metrics.jsonl   the bits per frame of each step, a line of JSON each
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from musicnet_duet.outputs import COMPOSER_FILE
from schemas import Dataset
from schemas.errors import DuetError
from training.composing.config import ComposerConfig, ComposerTraining
from training.composing.model import Composer
from training.config import from_json
from training.errors import TrainingError

MODEL_FILE = "model.keras"
METRICS_FILE = "metrics.jsonl"

VERSION = 1

_FRAMES = ("sample_rate", "hop_length", "window_frames")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposerRun:
    """What a composer was trained with.

    A frame lasts `hop_length / sample_rate` seconds, and a window of the dataset has
    `window_frames`. `fingerprint` is that of the dataset, `midi_files` the number of MIDI files
    beside it. `validation_bits` are per frame, None without a validation split. `packages` are
    versions, also that of Python.
    """

    model: ComposerConfig
    training: ComposerTraining
    sample_rate: int
    hop_length: int
    window_frames: int
    fingerprint: str
    midi_files: int
    validation_bits: float | None
    packages: Mapping[str, str]

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop_length

    def to_json(self) -> bytes:
        values = {**dataclasses.asdict(self), "version": VERSION}
        return json.dumps(values, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, where: str) -> ComposerRun:
        """Reads what `to_json` made; `where` names the file for the `TrainingError`."""
        try:
            values: dict[str, Any] = dict(json.loads(text))
            version = values.pop("version")
            model, training = dict(values["model"]), dict(values["training"])
        except (ValueError, KeyError, TypeError):
            raise TrainingError(
                f"{where}: is not of a composer: it was edited or damaged; train another one"
            ) from None
        if version != VERSION:
            raise TrainingError(
                f"{where}: has version {version}, and this program reads {VERSION}; train another "
                "one, or use the program that made it"
            )
        values["model"] = from_json(ComposerConfig, model, where=where)
        values["training"] = from_json(ComposerTraining, training, where=where)
        found: ComposerRun = from_json(cls, values, where=where)
        return found

    def require_frames(self, dataset: Dataset) -> None:
        """Raises `TrainingError` where the dataset's frames are not those of the run."""
        for name in _FRAMES:
            mine, its = getattr(self, name), getattr(dataset.config, name)
            if mine != its:
                raise TrainingError(
                    f"{dataset.storage.root}: {name} is {its}, and {mine} in the run; use a "
                    "dataset with the same frames"
                )


def load_composer(run_dir: str) -> tuple[ComposerRun, Composer]:
    """A run and its model. Raises `TrainingError` where there is none, or it is damaged."""
    folder = Path(run_dir)
    path = folder / COMPOSER_FILE
    try:
        text = path.read_bytes()
    except OSError:
        raise TrainingError(
            f"{run_dir}: holds no {COMPOSER_FILE}; train a composer with: duet train-composer "
            "--data DATASET --run RUN"
        ) from None
    run = ComposerRun.from_json(text, where=str(path))
    return run, _model(folder / MODEL_FILE, run)


def _model(path: Path, run: ComposerRun) -> Composer:
    try:
        model = keras.models.load_model(path)
    except DuetError:
        raise
    except Exception as error:  # Damage can make Keras raise anything.
        cause = " ".join(str(error).split())[:200]
        raise TrainingError(f"{path}: cannot be read: {cause}; train another composer") from None
    if not isinstance(model, Composer) or model.config != run.model:
        raise TrainingError(f"{path}: is not the composer of this run; train another one")
    return model
