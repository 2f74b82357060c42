from __future__ import annotations

import numpy as np
import pytest

from training.bootstrap import MIN_WORKS, bootstrap_interval


def test_recordings_of_one_work_count_as_one() -> None:
    """Thirty copies of six values are known no better than the six."""
    values = np.random.default_rng(0).normal(size=6)
    once = bootstrap_interval(values, list("abcdef"))
    copied = bootstrap_interval(np.repeat(values, 5), sorted("abcdef" * 5))
    apart = bootstrap_interval(np.repeat(values, 5), list(range(30)))
    assert once is not None
    assert copied is not None
    assert apart is not None
    assert copied == pytest.approx(once, abs=0.03)
    assert np.ptp(apart) < 0.6 * np.ptp(once)


def test_recordings_within_a_work_are_drawn_as_well() -> None:
    """Works that are alike still leave the variance of their recordings."""
    values = np.tile([-1.0, 1.0], 8)
    works = np.repeat(np.arange(8), 2).tolist()
    found = bootstrap_interval(values, works)
    assert found is not None
    low, high = found
    assert low < -0.3
    assert high > 0.3


def test_an_interval_contains_the_mean_as_often_as_it_says() -> None:
    """For 30 works; the bootstrap's known shortfall for few works is allowed for."""
    contained = []
    for seed in range(60):
        values = np.random.default_rng(seed).normal(size=30)
        interval = bootstrap_interval(values, list(range(30)), seed=seed)
        assert interval is not None
        contained.append(interval[0] <= 0 <= interval[1])
    assert np.mean(contained) > 0.85


def test_it_is_unknown_for_few_or_unknown_works() -> None:
    values = np.arange(MIN_WORKS, dtype=float)
    works = [str(each) for each in values]
    assert bootstrap_interval(values, works) is not None
    assert bootstrap_interval(values[1:], works[1:]) is None
    assert bootstrap_interval(values, [*works[1:], None]) is None
    assert bootstrap_interval(values, ["one"] * MIN_WORKS) is None


def test_it_is_a_function_of_its_arguments() -> None:
    values = np.random.default_rng(0).normal(size=9)
    works = list(range(9))
    assert bootstrap_interval(values, works) == bootstrap_interval(values, works)
