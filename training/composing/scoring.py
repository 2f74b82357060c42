"""Bits per frame of a composer and of baselines, on the same frames of a split."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.composing.baselines import NAMES, PitchChains
from training.composing.model import Composer, frame_nats
from training.composing.windows import Roll

SCORERS = ("model", *NAMES)


@dataclasses.dataclass(frozen=True)
class RollScore:
    """One recording: the frames scored, and the mean bits per frame of each scorer."""

    recording_id: str
    frames: int
    bits: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class SplitScore:
    """All recordings of a split, and their means over all frames.

    `onsets_outside` is the number of onsets of pitches that the model does not have: nothing scores
    them.
    """

    frames: int
    onsets_outside: int
    bits: Mapping[str, float]
    recordings: tuple[RollScore, ...]


def score_rolls(
    windows: Iterable[Roll], model: Composer, chains: Mapping[str, PitchChains]
) -> SplitScore | None:
    """Scores all frames but the first of each window; None where there are none."""
    pitches = model.config.pitches
    score = tf.function(
        lambda states: frame_nats(states[:, 1:], model(states)), reduce_retracing=True
    )
    totals: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(1 + len(SCORERS)))
    outside = 0
    for window in windows:
        outside += window.onsets_outside(pitches)
        states = window.states(pitches)
        if len(states) < 2:
            continue
        bits = [score(tf.constant(states[np.newaxis])).numpy()[0] / math.log(2)]
        bits += [each.bits(states) for each in chains.values()]
        sums = [each.sum(dtype=np.float64) for each in bits]
        totals[window.recording_id] += [len(states) - 1, *sums]
    if not totals:
        return None
    whole = np.sum(list(totals.values()), axis=0)
    return SplitScore(
        frames=int(whole[0]),
        onsets_outside=outside,
        bits=_means(whole),
        recordings=tuple(
            RollScore(name, int(sums[0]), _means(sums)) for name, sums in sorted(totals.items())
        ),
    )


def _means(sums: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(each / sums[0]) for name, each in zip(SCORERS, sums[1:], strict=True)}
