from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.support.measured_sounds import CONFIG, random_transcriber
from training.measures.discrepancy import (
    discrepancies,
    median_bandwidth,
    mmd_squared,
    patch_embeddings,
)


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


def test_patches_are_whole_seconds() -> None:
    transcriber = random_transcriber(hidden=8)
    log_mel = np.random.default_rng(0).normal(-30, 5, (100, CONFIG.n_mels)).astype(np.float32)
    patches = patch_embeddings(log_mel, transcriber)
    assert patches.shape == (2, 16)
    hidden = transcriber.embed(log_mel)[43:86]
    np.testing.assert_allclose(patches[1], [*hidden.mean(axis=0), *hidden.std(axis=0)], rtol=1e-5)


def recordings(count: int, seed: int, spread: float = 1.0) -> dict[str, list[np.ndarray]]:
    """Windows of 10 patches, four of each recording, that lie about the recording's center."""
    rng = np.random.default_rng(seed)
    return {
        str(number): list(rng.normal(0, spread, (1, 1, 4)) + rng.normal(0, 1, (4, 10, 4)))
        for number in range(count)
    }


def test_real_music_is_within_real_versus_real_and_other_sounds_are_not() -> None:
    real = recordings(12, seed=0)
    among_real = discrepancies(None, real, count=6, bandwidth=3.0)
    assert len(among_real) == 200
    limit = np.percentile(among_real, 95)
    new = [window for windows in recordings(6, seed=1).values() for window in windows]
    shifted = [window + 3 for window in new]
    assert np.median(discrepancies(new, real, count=6, bandwidth=3.0)) < limit
    assert np.median(discrepancies(shifted, real, count=6, bandwidth=3.0)) > limit


def test_draws_are_of_other_recordings_than_they_are_compared_with() -> None:
    """Recordings that differ greatly are never near themselves."""
    apart = {str(k): [np.full((10, 1), 100.0 * k)] for k in range(4)}
    values = discrepancies(None, apart, count=2, bandwidth=1.0)
    assert values.min() > 0.5


def test_a_draw_is_the_discrepancy_of_its_halves() -> None:
    one, other, candidate = np.random.default_rng(0).normal(size=(3, 8, 2))
    real = {"a": [one], "b": [other]}
    expected = mmd_squared(one, other, 1.5)
    np.testing.assert_allclose(discrepancies(None, real, count=1, bandwidth=1.5), expected)
    values = discrepancies([candidate], real, count=1, bandwidth=1.5)
    halves = [mmd_squared(candidate, each, 1.5) for each in (one, other)]
    np.testing.assert_allclose(np.unique(values.round(12)), np.sort(halves), atol=1e-11)


def test_draws_are_a_function_of_the_seed() -> None:
    real = recordings(6, seed=0)
    one, again, other = (
        discrepancies(None, real, count=3, bandwidth=1.0, draws=5, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
