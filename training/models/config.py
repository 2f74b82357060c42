"""The settings of a model of frames."""

from __future__ import annotations

import dataclasses

from training.errors import TrainingError
from training.validation import MAX_SEED, one_of, real_number, shown, whole_number

RECURRENT = ("rnn", "gru", "lstm")
HEADS = ("chained", "independent")

_MAX_WIDTH = 2**16
_MAX_LAYERS = 64
_MAX_COMPONENTS = 1_000
_MAX_NOISE = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameModelConfig:
    """The network: recurrent layers of `units` each, then a head of mixtures for every bin.

    `noise` is the largest standard deviation of the noise in the inputs of training, in standard
    deviations of a bin; see `noise.py`. The initial weights and the draws of noise are functions
    of `seed`. Raises `TrainingError` when a value is impossible.
    """

    n_mels: int = 128
    recurrent: str = "gru"
    units: tuple[int, ...] = (256,)
    head: str = "chained"
    components: int = 3
    noise: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.units, tuple | list):
            raise TrainingError(f"units={shown(self.units)} must be a list of integers")
        units = tuple(whole_number("units", each, 1, _MAX_WIDTH) for each in self.units)
        if not 1 <= len(units) <= _MAX_LAYERS:
            raise TrainingError(f"units={shown(units)} must name 1 to {_MAX_LAYERS} layers")
        checked = {
            "n_mels": whole_number("n_mels", self.n_mels, 1, _MAX_WIDTH),
            "recurrent": one_of("recurrent", self.recurrent, RECURRENT),
            "units": units,
            "head": one_of("head", self.head, HEADS),
            "components": whole_number("components", self.components, 1, _MAX_COMPONENTS),
            "noise": real_number("noise", self.noise, 0, _MAX_NOISE),
            "seed": whole_number("seed", self.seed, 0, MAX_SEED),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
