"""The settings of a run: the model, how it is trained, and for how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from training.errors import TrainingError
from training.validation import (
    LARGEST_FACTOR,
    MAX_BYTES,
    MAX_SEED,
    MAX_STEPS,
    SMALLEST_FACTOR,
    one_of,
    real_number,
    shown,
    whole_number,
)

DEFAULT_MEMORY_BYTES = 256_000_000
"""Enough for two readers of the largest preset's log-mels at the default batch size."""

KINDS = ("rnn", "gru", "lstm")

_MAX_WIDTH = 2**16
_MAX_LAYERS = 64
_MAX_MIXTURES = 1_000
_MAX_BATCH_SIZE = 2**20
_MAX_NOISE_DB = 100.0


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
        _set(self, kind=one_of("model", self.kind, KINDS))
        if not isinstance(self.units, tuple | list):
            raise TrainingError(f"units={shown(self.units)} must be a list of integers")
        units = tuple(whole_number("units", each, 1, _MAX_WIDTH) for each in self.units)
        if not 1 <= len(units) <= _MAX_LAYERS:
            raise TrainingError(f"units={shown(units)} must name 1 to {_MAX_LAYERS} layers")
        _set(self, units=units)
        _set(self, n_mels=whole_number("n_mels", self.n_mels, 1, _MAX_WIDTH))
        _set(self, mixtures=whole_number("mixtures", self.mixtures, 1, _MAX_MIXTURES))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the weights come about: with the model and the data, all that they depend on.

    `learning_rate` is Adam's, constant; the gradient's global norm is clipped to `clip_norm`.
    `input_noise_db` is the largest standard deviation, in dB, of the noise in the inputs of most
    windows, see `input_noise.py`; with 0, a model scores a little better and its free-running
    samples wander off. Raises `TrainingError` when a value is impossible.
    """

    batch_size: int = 8
    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    input_noise_db: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        _set(self, batch_size=whole_number("batch_size", self.batch_size, 1, _MAX_BATCH_SIZE))
        for name in ("learning_rate", "clip_norm"):
            value = real_number(name, getattr(self, name), SMALLEST_FACTOR, LARGEST_FACTOR)
            _set(self, **{name: value})
        noise = real_number("input_noise_db", self.input_noise_db, 0, _MAX_NOISE_DB)
        _set(self, input_noise_db=noise)
        _set(self, seed=whole_number("seed", self.seed, 0, MAX_SEED))


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How long and in how much memory: what may change when a run is resumed.

    `steps` is the number at which the run ends, resumed or not; every `validation_interval` steps
    the validation split is scored and a checkpoint is written. Raises `TrainingError` when a value
    is impossible.
    """

    steps: int = 1_000
    validation_interval: int = 50
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        for name in ("steps", "validation_interval"):
            _set(self, **{name: whole_number(name, getattr(self, name), 1, MAX_STEPS)})
        _set(self, memory_bytes=whole_number("memory_bytes", self.memory_bytes, 1, MAX_BYTES))


def from_json(kind: type[Any], values: Mapping[str, Any], *, where: str) -> Any:
    """The dataclass `kind` with the fields `values`; `where` names the file for the error."""
    try:
        return kind(**values)
    except (TypeError, TrainingError) as error:
        raise TrainingError(f"{where}: {error}") from None


def _set(config: Any, **values: Any) -> None:
    """Replaces fields of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(config, name, value)
