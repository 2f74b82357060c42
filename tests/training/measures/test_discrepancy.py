from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.measures.discrepancy import RealHalves, median_bandwidth, mmd_squared


def kernel(one: np.ndarray, other: np.ndarray, bandwidth: float) -> float:
    return float(np.exp(-np.sum((one - other) ** 2) / (2 * bandwidth**2)))


def double_loop(one: np.ndarray, other: np.ndarray, bandwidth: float) -> float:
    m, n = len(one), len(other)
    within = sum(
        kernel(one[i], one[j], bandwidth) for i in range(m) for j in range(m) if i != j
    ) / (m * (m - 1))
    within += sum(
        kernel(other[i], other[j], bandwidth) for i in range(n) for j in range(n) if i != j
    ) / (n * (n - 1))
    across = sum(kernel(a, b, bandwidth) for a in one for b in other) / (m * n)
    return within - 2 * across


@pytest.mark.parametrize(("m", "n", "bandwidth"), [(2, 2, 1.0), (5, 9, 0.7), (12, 4, 3.0)])
def test_it_is_equation_three(m: int, n: int, bandwidth: float) -> None:
    rng = np.random.default_rng(m)
    one, other = rng.normal(0, 1, (m, 3)), rng.normal(0.5, 2, (n, 3))
    expected = double_loop(one, other, bandwidth)
    assert mmd_squared(one, other, bandwidth) == pytest.approx(expected, abs=1e-12)


def test_it_is_unbiased_for_equal_distributions() -> None:
    """The mean of 2,000 estimates is 0; a right one fails for one seed in a thousand."""
    rng = np.random.default_rng(0)
    values = [
        mmd_squared(rng.normal(size=(6, 2)), rng.normal(size=(9, 2)), 1.0) for _ in range(2_000)
    ]
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values)) < stats.norm.ppf(1 - 0.001 / 2) * error
    # The biased estimate, whose mean is above 0.05 here, would not have passed.
    assert 10 * error < 0.05


def test_it_grows_with_the_distance_of_the_means() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 200, 2))
    values = [mmd_squared(one, other + shift, 1.0) for shift in (0, 0.5, 1, 2, 4)]
    assert values == sorted(values)
    assert values[0] < 0.01 < values[1]


def test_the_bandwidth_is_the_median_distance() -> None:
    assert median_bandwidth(np.array([[0.0], [1.0], [3.0]])) == 2.0
    assert median_bandwidth(np.zeros((3, 2))) == 1.0


def recordings(count: int, seed: int, spread: float = 1.0) -> dict[str, list[np.ndarray]]:
    """Windows of 10 patches, four of each recording, that lie about the recording's center."""
    rng = np.random.default_rng(seed)
    return {
        str(number): list(rng.normal(0, spread, (1, 1, 4)) + rng.normal(0, 1, (4, 10, 4)))
        for number in range(count)
    }


def test_real_music_is_within_real_versus_real_and_other_sounds_are_not() -> None:
    halves = RealHalves(recordings(12, seed=0), count=6)
    assert len(halves.among_real) == 200
    new = [window for windows in recordings(6, seed=1).values() for window in windows]
    found, shifted = halves.discrepancy(new), halves.discrepancy([window + 3 for window in new])
    assert found.limit == shifted.limit == np.percentile(halves.among_real, 95)
    assert not found.unlike
    assert shifted.unlike


def test_draws_are_of_other_recordings_than_they_are_compared_with() -> None:
    """Two of four recordings that differ greatly; drawn from themselves, they would be at 0."""
    apart = {str(k): [np.full((10, 1), 100.0 * k)] for k in range(4)}
    assert RealHalves(apart, count=2).among_real.min() > 0.15


def test_a_draw_is_the_discrepancy_of_its_halves() -> None:
    one, other, candidate = np.random.default_rng(0).normal(size=(3, 8, 2))
    halves = RealHalves({"a": [one], "b": [other]}, count=1)
    bandwidth = median_bandwidth(np.concatenate([one, other]))
    expected = mmd_squared(one, other, bandwidth)
    np.testing.assert_allclose(halves.among_real, expected)
    values = halves.to_real([candidate])
    by_hand = [mmd_squared(candidate, each, bandwidth) for each in (one, other)]
    np.testing.assert_allclose(np.unique(values.round(12)), np.sort(by_hand), atol=1e-11)


def test_as_many_windows_are_drawn_as_are_asked_for() -> None:
    """One of two candidates that differ greatly, or both: then there is no variance of the draw."""
    alike = {name: [np.zeros((5, 1)), np.ones((5, 1))] for name in "abcd"}
    candidates = [np.zeros((5, 1)), np.full((5, 1), 50.0)]
    assert len(np.unique(RealHalves(alike, count=1).to_real(candidates).round(9))) == 2
    assert len(np.unique(RealHalves(alike, count=2).to_real(candidates).round(9))) == 1


def test_draws_are_a_function_of_the_seed() -> None:
    real = recordings(6, seed=0)
    one, again, other = (
        RealHalves(real, count=3, draws=5, seed=seed).among_real for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
