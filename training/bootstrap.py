"""Intervals for means over recordings when several recordings may play the same work."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
PERCENTS = (2.5, 97.5)

MIN_WORKS = 6
"""The range of six draws is the least that contains the median with a chance of 95 %."""


def bootstrap_interval(
    values: NDArray[Any], works: Sequence[Hashable | None], *, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of the mean of `values` [recordings], by a hierarchical bootstrap.

    Each resample draws as many works as there are, with replacement, and of each work as many
    recordings as play it, with replacement (Davison and Hinkley 1997, 3.8): recordings of a work
    are not independent. `works` are those of each recording. None, which means unknown, where that
    of any recording is None, and for fewer than `MIN_WORKS` works.
    """
    if None in works or len(set(works)) < MIN_WORKS:
        return None
    positions: dict[Hashable, list[int]] = {}
    for position, work in enumerate(works):
        positions.setdefault(work, []).append(position)
    groups = [np.array(group) for group in positions.values()]
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = [groups[each] for each in rng.integers(len(groups), size=len(groups))]
        chosen = [group[rng.integers(len(group), size=len(group))] for group in drawn]
        means[number] = values[np.concatenate(chosen)].mean()
    low, high = np.percentile(means, PERCENTS)
    return float(low), float(high)
