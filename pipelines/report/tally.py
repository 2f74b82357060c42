"""Counts over the frames of windows, from which the figures and charts of a page follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig, Window
from schemas.features import N_PITCHES

LOWEST_DB, HIGHEST_DB = -120, 80
"""Levels beyond them count as the nearest of them; a sine of full scale is below 60 dB."""

LEVELS_DB = np.arange(LOWEST_DB, HIGHEST_DB + 1)
"""The levels that are counted, in dB: each stands for those that round to it."""

_SILENT_DB = 0.05
"""How far above the lowest level float16 may round it."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Tally:
    """Counts over `frames` valid frames; frames that two windows share count twice.

    `silent` are the frames whose bins are all at the lowest level, or, without `log_mel`, whose
    samples are all 0. `levels` int64 [201] counts mel bins by `LEVELS_DB`, `pitches` int64 [128]
    the frames in which a MIDI pitch sounds, and `polyphony` int64 [129] the frames in which so
    many pitches sound. What the windows do not have stays 0.
    """

    frames: int
    silent: int
    levels: NDArray[np.int64]
    pitches: NDArray[np.int64]
    polyphony: NDArray[np.int64]

    @classmethod
    def zero(cls) -> Self:
        """Of no frame at all."""
        return cls(
            frames=0,
            silent=0,
            levels=np.zeros(len(LEVELS_DB), np.int64),
            pitches=np.zeros(N_PITCHES, np.int64),
            polyphony=np.zeros(N_PITCHES + 1, np.int64),
        )

    @classmethod
    def of(cls, window: Window, config: FeatureConfig) -> Self:
        """Of the valid frames of one window, from those of its features that are there."""
        zero, valid, found = cls.zero(), window.valid_frames, window.features
        levels, pitches, polyphony = zero.levels, zero.pitches, zero.polyphony
        if "log_mel" in found:
            levels = _levels(found["log_mel"][:valid])
        if "notes" in found:
            sounding = found["notes"][:valid] != 0
            pitches = sounding.sum(axis=0, dtype=np.int64)
            polyphony = np.bincount(sounding.sum(axis=1), minlength=N_PITCHES + 1)
        return cls(
            frames=valid,
            silent=_silent(found, valid, config),
            levels=levels,
            pitches=pitches,
            polyphony=polyphony,
        )

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in dataclasses.fields(self)
            }
        )

    def level_at(self, share: float) -> int | None:
        """The level in dB that this share of all mel bins does not exceed; None without any."""
        total = self.levels.sum()
        if not total:
            return None
        return int(LEVELS_DB[np.searchsorted(np.cumsum(self.levels), share * total)])


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts in percent of their sum; 0 where that is 0."""
    return 100 * counts / max(1, counts.sum())


def _levels(log_mel: NDArray[Any]) -> NDArray[np.int64]:
    rounded = np.rint(np.clip(log_mel, LOWEST_DB, HIGHEST_DB)).astype(np.int16) - LOWEST_DB
    return np.bincount(rounded.ravel(), minlength=len(LEVELS_DB))


def _silent(found: Mapping[str, NDArray[Any]], valid: int, config: FeatureConfig) -> int:
    if "log_mel" in found:
        loudest = found["log_mel"][:valid].max(axis=1)
        return int((loudest <= config.floor_db + _SILENT_DB).sum())
    if "waveform" in found:
        samples = found["waveform"].reshape(-1, config.hop_length)[:valid]
        return int((~samples.any(axis=1)).sum())
    return 0
