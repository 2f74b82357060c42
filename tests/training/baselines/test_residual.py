from __future__ import annotations

import numpy as np
import pytest

from training.baselines.autoregression import gaussian_log_mass
from training.baselines.residual import Residual, fit_residual
from training.baselines.sample import SAMPLE_FRAMES, FrameSample
from training.grid import N_LEVELS, quantize

MELS = 3


@pytest.fixture(scope="module")
def fitted() -> tuple[Residual, np.ndarray, np.ndarray, np.ndarray]:
    """Errors of two kinds, of another size in each bin."""
    rng = np.random.default_rng(0)
    mean_db = rng.normal(-40, 15, (6_000, MELS))
    std = np.where(rng.random(mean_db.shape) < 0.2, 10, 1) * np.array([1, 1.5, 2])
    levels = quantize(mean_db + std * rng.normal(size=mean_db.shape))
    return (
        fit_residual(levels[:4_000], mean_db[:4_000]),
        levels[4_000:],
        mean_db[4_000:],
        std[4_000:],
    )


def test_the_masses_of_all_levels_sum_to_one(
    fitted: tuple[Residual, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    every = np.repeat(np.arange(N_LEVELS)[:, np.newaxis], MELS, axis=1)
    for mean_db in (-130.0, -55.2, 70.0):
        bits = fitted[0].bits(every, np.full(every.shape, mean_db))
        np.testing.assert_allclose(np.exp2(-bits.astype(np.float64)).sum(axis=0), 1, rtol=1e-3)


def test_it_is_better_than_the_best_gaussian_and_near_the_truth(
    fitted: tuple[Residual, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    residual, levels, mean_db, std = fitted
    found = residual.bits(levels, mean_db).mean()
    spread = np.sqrt((std**2).mean(axis=0))
    gaussian = -gaussian_log_mass(levels, mean_db, spread).mean() / np.log(2)
    known = -gaussian_log_mass(levels, mean_db, std).mean() / np.log(2)
    assert found < gaussian - 0.3
    # Which kind each error is of is worth 0.72 bits at most.
    assert known < found < known + 0.75


def test_a_fit_is_repeatable_and_leaves_global_seeds_alone() -> None:
    rng = np.random.default_rng(0)
    mean_db = rng.normal(-40, 15, (50, MELS))
    levels = quantize(mean_db + rng.normal(size=mean_db.shape))
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    one, other = (fit_residual(levels, mean_db) for _ in range(2))
    assert np.random.random() == expected
    np.testing.assert_array_equal(one.raw, other.raw)


def test_a_sample_is_of_all_frames_alike_and_bounded() -> None:
    sample = FrameSample(1)
    frames = 5 * SAMPLE_FRAMES
    numbered = np.arange(frames) % 30_000
    for first in range(0, frames, 512):
        sample.add(numbered[first : first + 514, np.newaxis])
    windows = sample.windows()
    assert windows.shape == (SAMPLE_FRAMES, 3, 1)
    now = windows[:, 2, 0].astype(int)
    np.testing.assert_array_equal(windows[:, 0, 0], now - 2)
    assert len(np.unique(now)) == SAMPLE_FRAMES
    # A quarter of the frames in each quarter, but for a deviation of chance.
    quarters = np.histogram(now, bins=4, range=(0, frames))[0]
    np.testing.assert_allclose(quarters, SAMPLE_FRAMES / 4, atol=5 * np.sqrt(SAMPLE_FRAMES) / 2)


def test_few_frames_are_all_kept() -> None:
    sample = FrameSample(2)
    for frames in (5, 2, 1, 0, 3):
        sample.add(np.full((frames, 2), frames))
    assert sorted(sample.windows()[:, 0, 0].tolist()) == [3, 5, 5, 5]
