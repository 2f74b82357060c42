from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from training.measures.reference import (
    MAX_DEPARTURE,
    MIN_RECORDINGS,
    MIN_WINDOWS,
    Interval,
    make_reference,
)

NAMES = tuple("abcdefghijkl")


def music(recordings: int, windows: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """Independent windows, with measures of which some depend on one another."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(recordings, windows, len(NAMES)))
    values[..., 1] = values[..., 0] + 0.1 * values[..., 1]
    return {
        str(number): [dict(zip(NAMES, row.tolist(), strict=True)) for row in each]
        for number, each in enumerate(values)
    }


def test_percentiles_have_the_rank_of_n_plus_one() -> None:
    windows = {str(k): [{"a": float(k)}] for k in range(1, MIN_WINDOWS + 1)}
    reference = make_reference(windows)
    assert reference is not None
    found = reference.intervals["a"]
    assert (found.low, found.median, found.high) == pytest.approx((2, 20, 38))


def test_one_odd_window_at_either_end_stretches_nothing() -> None:
    windows = {str(k): [{"a": float(k)}] for k in range(1, MIN_WINDOWS + 1)}
    windows["1"] = [{"a": -1e9}]
    windows[str(MIN_WINDOWS)] = [{"a": 1e9}]
    reference = make_reference(windows)
    assert reference is not None
    assert not reference.intervals["a"].contains(1)
    assert not reference.intervals["a"].contains(39)
    assert reference.intervals["a"].contains(2.5)


@pytest.mark.parametrize(("recordings", "windows"), [(19, 2), (1, 100), (3, 50), (0, 0)])
def test_too_few_windows_or_recordings_make_it_unknown(recordings: int, windows: int) -> None:
    assert recordings * windows < MIN_WINDOWS or recordings < MIN_RECORDINGS
    assert make_reference(music(recordings, windows, 0)) is None


def test_verdicts_have_their_stated_rates() -> None:
    """5 % and 10 %, over 100 references of 40 windows; right ones fail for one seed in a thousand.

    Windows that share a reference are not independent, so the errors are those of 100 means.
    """
    unlike, outside = [], []
    for seed in range(100):
        reference = make_reference(music(10, 4, seed))
        assert reference is not None
        verdicts = [
            reference.verdict(each)
            for windows in music(10, 4, 1_000 + seed).values()
            for each in windows
        ]
        unlike.append(np.mean([each.unlike for each in verdicts]))
        outside.append(np.mean([len(each.outside) / len(NAMES) for each in verdicts]))
    for rates, nominal, bias in ((unlike, 0.05, 0.02), (outside, 0.10, 0.005)):
        error = np.std(rates, ddof=1) / np.sqrt(len(rates))
        allowed = stats.norm.ppf(1 - 0.001 / 4) * error + bias
        assert abs(np.mean(rates) - nominal) < allowed


def test_a_window_far_outside_is_unlike_music_and_says_by_what() -> None:
    reference = make_reference(music(10, 4, 0))
    assert reference is not None
    measured = {name: each.median for name, each in reference.intervals.items()}
    assert reference.verdict(measured).outside == ()
    assert not reference.verdict(measured).unlike
    verdict = reference.verdict({**measured, "c": 20.0})
    assert verdict.outside == ("c",)
    assert verdict.unlike
    assert verdict.departure > reference.departure_limit > 1


def test_a_measure_that_is_mostly_one_number_leaves_the_verdict_sound() -> None:
    """Counts of onsets, and levels on a grid, can have equal percentiles."""
    windows = music(10, 4, 0)
    for number, each in enumerate(each for measured in windows.values() for each in measured):
        each["a"] = float(number % 9 == 0)
    reference = make_reference(windows)
    assert reference is not None
    assert reference.intervals["a"] == Interval(0.0, 0.0, 1.0)
    assert math.isfinite(reference.departure_limit)
    typical = {name: each.median for name, each in reference.intervals.items()}
    assert not reference.verdict(typical).unlike
    assert reference.verdict({**typical, "a": -3.0}).unlike


def test_departures_are_in_half_widths_of_their_own_side() -> None:
    interval = Interval(-1.0, 0.0, 10.0)
    values = (-2.0, -1.0, 0.0, 5.0, 10.0)
    assert [interval.departure(value) for value in values] == [2, 1, 0, 0.5, 1]
    assert Interval(1.0, 1.0, 2.0).departure(0.5) == 10
    assert Interval(1.0, 1.0, 1.0).departure(1.0) == 0
    assert Interval(1.0, 1.0, 1.0).departure(1.0001) == MAX_DEPARTURE
