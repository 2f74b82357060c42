from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from training.baselines.autoregression import Autoregression, gaussian_log_mass
from training.baselines.fit import NAMES, fit_baselines
from training.baselines.histogram import Histogram
from training.baselines.scoring import Baseline
from training.grid import N_LEVELS, dequantize, quantize

MELS = 3


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    """Five windows of 50 frames or fewer; the last bin is silent all the time."""
    rng = np.random.default_rng(0)
    found = []
    for frames in (50, 50, 31, 2, 1):
        db = np.cumsum(rng.normal(0, 3, (frames, MELS)), axis=0) - 40
        db[:, -1] = -100
        found.append(quantize(db))
    return found


@pytest.fixture(scope="module")
def baselines(windows: list[np.ndarray]) -> dict[str, Baseline]:
    found = fit_baselines(windows, MELS)
    assert tuple(found) == NAMES
    return found


def test_histogram_is_counting(windows: list[np.ndarray], baselines: dict[str, Baseline]) -> None:
    histogram = baselines["histogram"]
    assert isinstance(histogram, Histogram)
    seen = np.concatenate([window[2:] for window in windows])
    for bin_number in range(MELS):
        counts = np.array([np.sum(seen[:, bin_number] == level) + 1 for level in range(N_LEVELS)])
        expected = -np.log2(counts / counts.sum())[windows[0][2:, bin_number]]
        np.testing.assert_allclose(histogram.bits(windows[0])[:, bin_number], expected)
    np.testing.assert_allclose(np.exp2(histogram.log2_mass).sum(axis=1), 1)


def test_autoregression_is_least_squares(
    windows: list[np.ndarray], baselines: dict[str, Baseline]
) -> None:
    autoregression = baselines["autoregression"]
    assert isinstance(autoregression, Autoregression)
    for bin_number in range(MELS - 1):
        db = [dequantize(window[:, bin_number]).astype(np.float64) for window in windows[:3]]
        now = np.concatenate([x[2:] for x in db])
        past = np.concatenate([np.stack([np.ones(len(x) - 2), x[1:-1], x[:-2]], 1) for x in db])
        weights, squares, *_ = np.linalg.lstsq(past, now, rcond=None)
        np.testing.assert_allclose(autoregression.weights[bin_number], weights, atol=1e-8)
        std = np.sqrt(squares[0] / len(now))
        np.testing.assert_allclose(autoregression.std_db[bin_number], std, rtol=1e-8)
        expected = -gaussian_log_mass(
            windows[0][2:, bin_number], past[:48] @ weights, np.array(std)
        )
        bits = autoregression.bits(windows[0])[:, bin_number]
        np.testing.assert_allclose(bits, expected / np.log(2), rtol=1e-6)


@pytest.mark.parametrize("name", ["persistence", "autoregression", "linear_chain"])
def test_a_silent_bin_costs_next_to_nothing(
    windows: list[np.ndarray], baselines: dict[str, Baseline], name: str
) -> None:
    assert baselines[name].bits(windows[0])[:, -1].max() < 0.5


@pytest.mark.parametrize("mean", [-1e4, -100, -99.8, -20.1, 60, 1e4])
@pytest.mark.parametrize("std", [0.25, 3, 500])
def test_gaussian_masses_sum_to_one_and_are_finite(mean: float, std: float) -> None:
    log_mass = gaussian_log_mass(np.arange(N_LEVELS), np.array(mean), np.array(std))
    assert np.all(np.isfinite(log_mass))
    np.testing.assert_allclose(np.exp(log_mass).sum(), 1, rtol=1e-9)


def test_gaussian_mass_is_a_difference_of_cdfs() -> None:
    levels = np.arange(1, N_LEVELS - 1)
    db = dequantize(levels).astype(np.float64)
    expected = norm.cdf(db + 0.25, -20, 15) - norm.cdf(db - 0.25, -20, 15)
    ours = np.exp(gaussian_log_mass(levels, np.array(-20.0), np.array(15.0)))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-14)


def test_windows_without_a_scored_frame_have_no_bits(
    windows: list[np.ndarray], baselines: dict[str, Baseline]
) -> None:
    for baseline in baselines.values():
        assert baseline.bits(windows[-1]).shape == (0, MELS)
        assert baseline.bits(windows[-2]).shape == (0, MELS)
