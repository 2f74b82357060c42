"""What a model is and how it is trained: the settings that make one run differ from another."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from training.errors import TrainingError

KINDS = ("rnn", "gru", "lstm")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network: recurrent layers of `units` each, then a mixture of logistics for every bin.

    Raises `TrainingError` when a value is impossible.
    """

    kind: str = "gru"
    units: tuple[int, ...] = (256,)
    n_mels: int = 128
    mixtures: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", tuple(self.units))
        if self.kind not in KINDS:
            raise TrainingError(f"model={self.kind!r} must be one of {', '.join(KINDS)}")
        if not self.units:
            raise TrainingError("units=() must name at least one layer")
        for units in self.units:
            _require_count("units", units)
        _require_count("n_mels", self.n_mels)
        _require_count("mixtures", self.mixtures)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the weights come about: with the model and the data, all that they depend on.

    `learning_rate` is Adam's, constant; the gradient's global norm is clipped to `clip_norm`.
    `input_noise_db` is the size of the errors in what most windows are heard as,
    see `input_noise.py`; with 0, a model scores a little better and its free-running samples
    wander off.
    Raises `TrainingError` when a value is impossible.
    """

    batch_size: int = 8
    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    input_noise_db: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require_count("batch_size", self.batch_size)
        _require_positive("learning_rate", self.learning_rate)
        _require_positive("clip_norm", self.clip_norm)
        if type(self.input_noise_db) not in (int, float) or not 0 <= self.input_noise_db <= 100:
            raise TrainingError(
                f"input_noise_db={self.input_noise_db!r} must be a number of dB from 0 to 100"
            )
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise TrainingError(f"seed={self.seed!r} must be an integer from 0 to 2**31 - 1")


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How long and in how much memory: what may change when a run is resumed.

    `steps` is the number at which the run ends, resumed or not; every `validation_interval` steps
    the validation split is scored and a checkpoint is written.
    """

    steps: int = 1_000
    validation_interval: int = 50
    memory_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _require_count(field.name, getattr(self, field.name))


def from_json(kind: type[Any], values: Mapping[str, Any], *, where: str) -> Any:
    """The dataclass `kind` with the fields `values`; `where` names the file for the error."""
    try:
        return kind(**values)
    except (TypeError, TrainingError) as error:
        raise TrainingError(f"{where}: {error}") from None


def _require_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise TrainingError(f"{name}={value!r} must be a positive integer")


def _require_positive(name: str, value: Any) -> None:
    if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
        raise TrainingError(f"{name}={value!r} must be a positive number")
