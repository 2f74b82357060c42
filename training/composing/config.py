"""The settings of a composer and of its training."""

from __future__ import annotations

import dataclasses

from schemas.features import N_PITCHES
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.validation import (
    LARGEST_FACTOR,
    MAX_BYTES,
    MAX_SEED,
    MAX_STEPS,
    SMALLEST_FACTOR,
    real_number,
    shown,
    true_or_false,
    whole_number,
)

PIANO = (21, 108)
"""The lowest and the highest MIDI pitch that is modeled unless the config says otherwise."""

_MAX_WIDTH = 2**12
_MAX_DROPOUT = 0.95
_MAX_BATCH_SIZE = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposerConfig:
    """The network: a GRU of `units`, and a head of `channels` that all pitches share.

    `pitches` are the lowest and the highest MIDI pitch that it models, both included; notes
    outside are left out of what it hears and of what it predicts. With `chained`, a pitch depends
    on what became of the pitches below it in the same frame; without, the pitches of a frame are
    independent given the past. `dropout` is the share of the GRU's outputs that training sets to 0.
    The initial weights and all draws are functions of `seed`. Raises `TrainingError` when a value
    is impossible.
    """

    pitches: tuple[int, int] = PIANO
    units: int = 128
    channels: int = 32
    chained: bool = True
    dropout: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self._range()
        _set(self, pitches=(low, high))
        for name in ("units", "channels"):
            _set(self, **{name: whole_number(name, getattr(self, name), 1, _MAX_WIDTH)})
        _set(self, chained=true_or_false("chained", self.chained))
        _set(self, dropout=real_number("dropout", self.dropout, 0, _MAX_DROPOUT))
        _set(self, seed=whole_number("seed", self.seed, 0, MAX_SEED))

    @property
    def n_pitches(self) -> int:
        return self.pitches[1] - self.pitches[0] + 1

    def _range(self) -> tuple[int, int]:
        if not isinstance(self.pitches, tuple | list) or len(self.pitches) != 2:
            raise TrainingError(
                f"pitches={shown(self.pitches)} must be the lowest and the highest MIDI pitch, "
                f"such as {PIANO}"
            )
        low = whole_number("pitches", self.pitches[0], 0, N_PITCHES - 1)
        return low, whole_number("pitches", self.pitches[1], low, N_PITCHES - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposerTraining:
    """How the weights come about: with the model and the data, all that they depend on.

    Adam takes `steps` steps of `batch_size` windows. Its learning rate rises in a line to
    `learning_rate` in `warmup_steps`, and falls along a cosine until the last step; the gradient's
    global norm is clipped to 1, and the weights that are kept are a moving average. Each window is
    transposed by a random interval from a tritone down to a fourth up (-6 to 5 semitones). `seed`
    makes the first weights, the order of the windows, and all draws. Raises `TrainingError` when a
    value is impossible.
    """

    steps: int = 300
    batch_size: int = 4
    learning_rate: float = 4e-3
    warmup_steps: int = 20
    seed: int = 0
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        _set(self, steps=whole_number("steps", self.steps, 1, MAX_STEPS))
        _set(self, batch_size=whole_number("batch_size", self.batch_size, 1, _MAX_BATCH_SIZE))
        rate = real_number("learning_rate", self.learning_rate, SMALLEST_FACTOR, LARGEST_FACTOR)
        _set(self, learning_rate=rate)
        _set(self, warmup_steps=whole_number("warmup_steps", self.warmup_steps, 0, MAX_STEPS))
        _set(self, seed=whole_number("seed", self.seed, 0, MAX_SEED))
        _set(self, memory_bytes=whole_number("memory_bytes", self.memory_bytes, 1, MAX_BYTES))


def _set(config: object, **values: object) -> None:
    """Replaces fields of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(config, name, value)
