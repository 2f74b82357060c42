"""What is compared: the rows of an ablation."""

from __future__ import annotations

import dataclasses

from training.config import DEFAULT_MEMORY_BYTES
from training.horizon import HORIZONS
from training.validation import MAX_BYTES, MAX_SEED, MAX_STEPS, whole_number

BASE = ("frequency",)
"""The condition that the others are compared with."""

CONDITIONS = (
    BASE,
    ("time",),
    ("frequency", "time"),
    ("frequency", "notes"),
    ("frequency", "time", "notes"),
)

OTHER_CELLS, OTHER_CONDITIONS = ("rnn", "lstm"), (BASE, ("frequency", "time"))
"""Besides GRU, which hears all conditions, these cells hear these conditions."""

STEPS, TIME = "steps", "time"
"""Rows are matched by steps of training, or by the time that training takes."""

_MAX_SEEDS = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """Models of `units` are trained for `steps` steps of `batch_size` windows, `seeds` times each.

    Raises `TrainingError` when a value is impossible.
    """

    steps: int = 300
    units: int = 64
    batch_size: int = 4
    seeds: int = 3
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def __post_init__(self) -> None:
        for name, high in (
            ("steps", MAX_STEPS),
            ("units", 2**16),
            ("batch_size", 2**20),
            ("seeds", min(_MAX_SEEDS, MAX_SEED)),
            ("memory_bytes", MAX_BYTES),
        ):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1, high))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """One condition: which cells hear what, and how far. `matched` is `STEPS` or `TIME`."""

    recurrent: str
    hears: tuple[str, ...]
    horizon: str
    matched: str = STEPS

    @property
    def base(self) -> Setting:
        """The setting that this one is compared with: all is the same, but what is heard."""
        return dataclasses.replace(self, hears=BASE, matched=STEPS)

    @property
    def name(self) -> str:
        """For files and for people, such as `gru-frequency+time-strict`."""
        return f"{self.recurrent}-{'+'.join(self.hears)}-{self.horizon}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A setting with a seed, trained for `steps` steps."""

    setting: Setting
    seed: int
    steps: int

    @property
    def name(self) -> str:
        return f"{self.setting.name}-{self.steps}-steps-seed-{self.seed}"


def settings() -> list[Setting]:
    """All settings that are matched by steps."""
    found = [
        Setting(recurrent="gru", hears=hears, horizon=horizon)
        for horizon in HORIZONS
        for hears in CONDITIONS
    ]
    return found + [
        Setting(recurrent=cell, hears=hears, horizon=HORIZONS[0])
        for cell in OTHER_CELLS
        for hears in OTHER_CONDITIONS
    ]


def matched_by_time(
    of_steps: dict[Setting, int], frames_per_second: dict[Setting, float]
) -> dict[Setting, int]:
    """The steps of settings in the time that their base needs for its own, for GRU.

    `frames_per_second` are the speeds of training of all settings in `of_steps`, whose steps are
    those of settings that are matched by steps.

    Examples:
        >>> slow = Setting(recurrent="gru", hears=("time",), horizon="strict")
        >>> found = matched_by_time({slow: 300, slow.base: 300}, {slow: 10.0, slow.base: 40.0})
        >>> [(each.matched, steps) for each, steps in found.items()]
        [('time', 75)]
    """
    found = {}
    for setting, steps in of_steps.items():
        if setting.recurrent == "gru" and setting.hears != BASE:
            share = frames_per_second[setting] / frames_per_second[setting.base]
            matched = dataclasses.replace(setting, matched=TIME)
            found[matched] = max(1, round(steps * share))
    return found
