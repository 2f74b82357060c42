"""The folder of a transcriber: the model, and a file that says what made it.

RUN/
  transcriber.json   the settings, features and fingerprint of the dataset, thresholds, versions
  model.keras        the model, which `keras.models.load_model` loads
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from musicnet_duet.outputs import TRANSCRIBER_FILE
from schemas import Dataset, FeatureConfig, Storage
from training.config import from_json
from training.errors import TrainingError
from training.process import require_tensorflow_backend
from training.reading.opening import require_stored
from training.runs import require_same_features
from training.transcription import model as _layers
from training.transcription.config import TranscriberConfig
from training.transcription.decoding import Thresholds
from training.validation import shown

MODEL_FILE = "model.keras"

VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriberRun:
    """What made a transcriber, and the thresholds that suit it.

    `features` and `fingerprint` are those of the dataset, `thresholds` the best on its validation
    split, and `validation_average_precision` is that of the notes there, None where none sounds.
    `packages` are versions, also that of Python.
    """

    config: TranscriberConfig
    features: FeatureConfig
    fingerprint: str
    thresholds: Thresholds
    validation_average_precision: float | None
    packages: Mapping[str, str]

    def to_json(self) -> bytes:
        values = {
            **dataclasses.asdict(self),
            "features": self.features.to_dict(),
            "version": VERSION,
        }
        return json.dumps(values, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, where: str) -> TranscriberRun:
        """Reads what `to_json` made; `where` names the file for the `TrainingError`."""
        try:
            values = json.loads(text)
            if (version := values.pop("version")) != VERSION:
                raise TrainingError(
                    f"{where}: has version {shown(version)} of the format, and this is version "
                    f"{VERSION}; use the version of musicnet-duet that made it"
                )
            kinds = {"config": TranscriberConfig, "thresholds": Thresholds}
            for name, kind in kinds.items():
                values[name] = from_json(kind, values[name], where=where)
            values["features"] = FeatureConfig.from_dict(values["features"], where=where)
            return cls(**values)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise TrainingError(
                f"{where}: not the description of a transcriber: {error!r}; train another one"
            ) from None

    def require_features(self, dataset: Dataset) -> None:
        """Raises `TrainingError`, with what differs, unless its features suit the model."""
        require_stored(dataset, (*self.config.inputs, *_layers.OUTPUTS))
        stored = ("dtype", "features", "stride_frames", "tail", "window_frames")
        require_same_features(self.features, dataset, ignoring=stored)


def write_run(folder: str, run: TranscriberRun, model: keras.Model) -> None:
    """Writes the model, and then the file that makes the folder one of a transcriber."""
    storage = Storage(folder)
    storage.write_bytes(MODEL_FILE, _saved(model))
    storage.write_bytes(TRANSCRIBER_FILE, run.to_json())


def load_run(folder: str) -> tuple[TranscriberRun, keras.Model]:
    """A transcriber. Raises `TrainingError` where there is none, or it is damaged."""
    require_tensorflow_backend()
    path = Path(folder) / TRANSCRIBER_FILE
    if not path.exists():
        raise TrainingError(
            f"{path}: no such file, so there is no transcriber here; make one with: duet "
            f"train-transcriber --data DATASET --run {shlex.quote(folder)}"
        )
    run = TranscriberRun.from_json(path.read_bytes(), where=str(path))
    try:
        model = keras.models.load_model(Path(folder) / MODEL_FILE, compile=False)
    except Exception as error:  # Keras raises errors of many kinds for a damaged file.
        cause = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{Path(folder) / MODEL_FILE}: cannot be loaded ({cause}); train the transcriber again"
        ) from error
    return run, model


def _saved(model: Any) -> bytes:
    """The model as a .keras file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        model.save(path)
        return path.read_bytes()
