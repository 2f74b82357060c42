"""The settings of a run: the model, how it is trained, and for how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.horizon import HEARD, HORIZONS, Horizon
from training.validation import (
    LARGEST_FACTOR,
    MAX_BYTES,
    MAX_SEED,
    MAX_STEPS,
    SMALLEST_FACTOR,
    one_of,
    real_number,
    shown,
    true_or_false,
    whole_number,
)

DEFAULT_MEMORY_BYTES = 256_000_000
"""Enough for two readers of the largest preset's log-mels at the default batch size."""

CHECKPOINTS_BY_NAME = ("last", "best")

DEFAULT_CHECKPOINT = "last"
"""What predicts validation best is often an early step, whose samples have few onsets."""

DEFAULT_TEMPERATURE, DEFAULT_SCORE_TEMPERATURE = 0.75, 0.05
"""At 1, samples change more from frame to frame than music does, and have more onsets.

With a score, most of what is left to chance is noise: a little of it keeps frames from being
smoother than those of music.
"""

MIDI_ENDINGS = (".mid", ".midi")
"""Of the names of scores that are files, and not recordings."""

RECURRENT = ("rnn", "gru", "lstm")
HEADS = ("chained", "independent")

_FEATURES = {"frequency": (), "time": ("waveform",), "notes": ("notes", "onsets")}
"""What is read for what a model hears, beside the spectrogram, which it predicts."""

_MAX_WIDTH = 2**16
_MAX_SAMPLES = 2**20
_MAX_LAYERS = 64
_MAX_COMPONENTS = 1_000
_MAX_NOISE = 10.0
_MAX_DROPOUT = 0.95
_MAX_BATCH_SIZE = 2**20
_MAX_GAIN_DB = 60.0
_MAX_EMA = 0.99999


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameModelConfig:
    """The network: recurrent layers of `units` each, then a head of mixtures for every bin.

    It `hears` some of `horizon.HEARD`, as far as the `horizon` allows, one of `horizon.HORIZONS`.
    `n_mels`, `hop_length`, `n_fft` and `sample_rate` are those of the dataset's features.
    `noise` is the largest standard deviation of the noise in the inputs of training, in standard
    deviations of a bin; see `models/noise.py`. `dropout` is the share of the outputs of each layer
    that training sets to 0. With `mixed_precision`, the layers and the head compute in bfloat16;
    weights and the likelihood remain float32. The initial weights and all draws are functions of
    `seed`. Raises `TrainingError` when a value is impossible.
    """

    n_mels: int = 128
    hop_length: int = 512
    n_fft: int = 2048
    sample_rate: int = 22_050
    hears: tuple[str, ...] = ("frequency",)
    horizon: str = "overlap"
    recurrent: str = "gru"
    units: tuple[int, ...] = (256,)
    head: str = "chained"
    components: int = 3
    noise: float = 1.0
    dropout: float = 0.0
    mixed_precision: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.units, tuple | list):
            raise TrainingError(f"units={shown(self.units)} must be a list of integers")
        units = tuple(whole_number("units", each, 1, _MAX_WIDTH) for each in self.units)
        if not 1 <= len(units) <= _MAX_LAYERS:
            raise TrainingError(f"units={shown(units)} must name 1 to {_MAX_LAYERS} layers")
        checked = {
            "n_mels": whole_number("n_mels", self.n_mels, 1, _MAX_WIDTH),
            "hop_length": whole_number("hop_length", self.hop_length, 1, _MAX_SAMPLES),
            "n_fft": whole_number("n_fft", self.n_fft, 2, _MAX_SAMPLES),
            "sample_rate": whole_number("sample_rate", self.sample_rate, 1, _MAX_SAMPLES),
            "hears": _heard(self.hears),
            "horizon": one_of("horizon", self.horizon, HORIZONS),
            "recurrent": one_of("recurrent", self.recurrent, RECURRENT),
            "units": units,
            "head": one_of("head", self.head, HEADS),
            "components": whole_number("components", self.components, 1, _MAX_COMPONENTS),
            "noise": real_number("noise", self.noise, 0, _MAX_NOISE),
            "dropout": real_number("dropout", self.dropout, 0, _MAX_DROPOUT),
            "mixed_precision": true_or_false("mixed_precision", self.mixed_precision),
            "seed": whole_number("seed", self.seed, 0, MAX_SEED),
        }
        _set(self, **checked)

    @property
    def reach(self) -> Horizon:
        """How far the model hears."""
        return Horizon.of(self.horizon, hop_length=self.hop_length, n_fft=self.n_fft)

    @property
    def generates(self) -> bool:
        """Whether a frame can be drawn once the frames before it are.

        A waveform is not there before the spectrogram is inverted, and with the strict horizon, the
        frames that overlap are drawn apart.
        """
        return "time" not in self.hears and self.horizon == "overlap"

    @property
    def features(self) -> tuple[str, ...]:
        """The features of a dataset that the model is given: what it hears, and its targets."""
        return ("log_mel", *(each for name in self.hears for each in _FEATURES[name]))


@dataclasses.dataclass(frozen=True)
class ModelFunction:
    """A Keras model of the user's own: what `function`, as `module:function`, makes.

    `custom_models` says what it has to be. Raises `TrainingError` for another text.
    """

    function: str

    def __post_init__(self) -> None:
        if not is_function_name(self.function):
            raise TrainingError(
                f"function={shown(self.function)} must be module:function, such as "
                "my_models:build, with dots for folders"
            )


def is_midi(name: str) -> bool:
    """Whether a score is the name of a MIDI file, and not that of a recording.

    Examples:
        >>> is_midi("fugue.MID"), is_midi("2303")
        (True, False)
    """
    return Path(name).suffix.lower() in MIDI_ENDINGS


def is_function_name(text: Any) -> bool:
    """Whether `text` is `module:function`."""
    if not isinstance(text, str) or text.count(":") != 1:
        return False
    return all(name.isidentifier() for name in text.replace(":", ".").split(".")) and (
        "." not in text.partition(":")[2]
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the weights come about: with the model and the data, all that they depend on.

    The learning rate of Adam rises in a line to `learning_rate` in `warmup_steps`, and falls along
    a cosine until `decay_steps`; None means the step at which the run is first asked to end. The
    gradient's global norm is clipped to `clip_norm`. `gain_db` is the most by which a window is
    made louder or softer in training. With `ema` above 0, a moving average of the weights with
    this momentum is scored and used. `seed` makes the first weights, the order of the windows, and
    all draws. With `deterministic`, `train` calls `process.make_deterministic`, so that a GPU gives
    the same bits each time, too. Raises `TrainingError` when a value is impossible.
    """

    batch_size: int = 8
    learning_rate: float = 4e-3
    warmup_steps: int = 30
    decay_steps: int | None = None
    clip_norm: float = 1.0
    gain_db: float = 0.0
    ema: float = 0.0
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _set(self, batch_size=whole_number("batch_size", self.batch_size, 1, _MAX_BATCH_SIZE))
        for name in ("learning_rate", "clip_norm"):
            value = real_number(name, getattr(self, name), SMALLEST_FACTOR, LARGEST_FACTOR)
            _set(self, **{name: value})
        _set(self, warmup_steps=whole_number("warmup_steps", self.warmup_steps, 0, MAX_STEPS))
        if self.decay_steps is not None:
            _set(self, decay_steps=whole_number("decay_steps", self.decay_steps, 1, MAX_STEPS))
        _set(self, gain_db=real_number("gain_db", self.gain_db, 0, _MAX_GAIN_DB))
        _set(self, ema=real_number("ema", self.ema, 0, _MAX_EMA))
        _set(self, deterministic=true_or_false("deterministic", self.deterministic))
        _set(self, seed=whole_number("seed", self.seed, 0, MAX_SEED))


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How long and in how much memory: what may change when a run is resumed.

    `steps` is the number at which the run ends, resumed or not; every `validation_interval` steps
    the validation split is scored and a checkpoint is written. The run ends early once the last
    `patience` validations were no better than one before; never, if it is None. Raises
    `TrainingError` when a value is impossible.
    """

    steps: int = 1_000
    validation_interval: int = 100
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "validation_interval"):
            _set(self, **{name: whole_number(name, getattr(self, name), 1, MAX_STEPS)})
        _set(self, memory_bytes=whole_number("memory_bytes", self.memory_bytes, 1, MAX_BYTES))
        if self.patience is not None:
            _set(self, patience=whole_number("patience", self.patience, 1, MAX_STEPS))


def from_json(kind: type[Any], values: Mapping[str, Any], *, where: str) -> Any:
    """The dataclass `kind` with the fields `values`; `where` names the file for the error."""
    try:
        return kind(**values)
    except (TypeError, TrainingError) as error:
        raise TrainingError(f"{where}: {error}") from None


def _heard(hears: Any) -> tuple[str, ...]:
    """Some of `HEARD`, in their order."""
    if not isinstance(hears, tuple | list) or not hears:
        raise TrainingError(f"hears={shown(hears)} must name some of {', '.join(HEARD)}")
    names = {one_of("hears", each, HEARD) for each in hears}
    return tuple(each for each in HEARD if each in names)


def _set(config: Any, **values: Any) -> None:
    """Replaces fields of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(config, name, value)
