"""What real music measures, and whether a sound lies within it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW_PERCENT, HIGH_PERCENT = 5, 95

JOINT_FALSE_ALARM = 0.05
"""The share of real windows that the joint verdict is to call unlike music."""

MIN_WINDOWS = 39
"""The 5th percentile of 39 windows is the second least: the rank is (n + 1) * 5 %. With fewer, the
two ends would be set by the least and the greatest window alone."""

MIN_RECORDINGS = 4
"""Two in each half, where halves of the recordings are compared."""

LEAST_SIDE = 0.05
"""Each side of an interval counts as at least this share of the whole: onsets, and levels on a
grid, can have a percentile that equals the median."""

MAX_DEPARTURE = 1e6
"""Departures are finite, so that percentiles of them are."""

Measured = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Interval:
    """The 5th, 50th and 95th percentile of a measure over real windows."""

    low: float
    median: float
    high: float

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high

    def departure(self, value: float) -> float:
        """How far a value is from the median: 1 at the interval's ends, more beyond them.

        `MAX_DEPARTURE` at most, also for any other value than the median where the interval is a
        point.
        """
        distance = abs(value - self.median)
        side = self.high - self.median if value > self.median else self.median - self.low
        width = max(side, LEAST_SIDE * (self.high - self.low))
        if distance >= width * MAX_DEPARTURE:
            return MAX_DEPARTURE if distance else 0.0
        return distance / width


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One window beside the reference.

    `outside` names the measures that are outside of their 5th to 95th percentile: each is for one
    real window in ten. `departure` is the greatest of all measures, and `unlike` says whether it
    exceeds that of all but one real window in twenty.
    """

    outside: tuple[str, ...]
    departure: float
    unlike: bool


@dataclasses.dataclass(frozen=True)
class Reference:
    """The intervals of real windows by measure, and the greatest departure that music has.

    The joint verdict does not suppose that measures are independent: `departure_limit` is the 95th
    percentile of the greatest departure of real windows, each from the intervals of *other*
    recordings' windows. A window of a new recording exceeds it with a chance of 5 %, as far as
    recordings are alike. (Bonferroni's correction for twelve measures needs the 0.2nd percentile,
    and so 480 windows.)
    """

    intervals: Mapping[str, Interval]
    departure_limit: float

    def verdict(self, measured: Measured) -> Verdict:
        """Judges a window, which has the measures of the reference."""
        outside = tuple(
            name for name, each in self.intervals.items() if not each.contains(measured[name])
        )
        departure = _greatest_departure(self.intervals, measured)
        return Verdict(outside, departure, departure > self.departure_limit)


def make_reference(recordings: Mapping[str, Sequence[Measured]]) -> Reference | None:
    """The reference of real windows: each recording's measures, window by window.

    The windows must be whole (`valid_frames == window_frames`), or parts of equal length, and have
    the same measures. Percentiles are the ones whose expected coverage is right for any
    distribution: value k of n in order is the percentile 100 * k / (n + 1) (Weibull's; Hyndman and
    Fan 1996, definition 6). Returns None, which means unknown, for fewer than `MIN_WINDOWS` windows
    or `MIN_RECORDINGS` recordings.
    """
    windows = [each for measured in recordings.values() for each in measured]
    if len(windows) < MIN_WINDOWS or sum(map(bool, recordings.values())) < MIN_RECORDINGS:
        return None
    departures = []
    for name, measured in recordings.items():
        others = _intervals(_others(recordings, name))
        departures += [_greatest_departure(others, each) for each in measured]
    limit = _percentile(np.array(departures), 100 * (1 - JOINT_FALSE_ALARM))
    return Reference(_intervals(windows), float(limit))


def _others(recordings: Mapping[str, Sequence[Measured]], left_out: str) -> list[Measured]:
    return [each for name, measured in recordings.items() if name != left_out for each in measured]


def _intervals(windows: Sequence[Measured]) -> dict[str, Interval]:
    columns = {name: np.array([each[name] for each in windows]) for name in windows[0]}
    percents = (LOW_PERCENT, 50, HIGH_PERCENT)
    return {
        name: Interval(*_percentile(column, percents).tolist()) for name, column in columns.items()
    }


def _percentile(values: NDArray[np.float64], percents: Any) -> NDArray[np.float64]:
    return np.percentile(values, percents, method="weibull")


def _greatest_departure(intervals: Mapping[str, Interval], measured: Measured) -> float:
    return max((each.departure(measured[name]) for name, each in intervals.items()), default=0.0)
