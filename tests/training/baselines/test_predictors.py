from __future__ import annotations

import numpy as np
import pytest

from training.baselines.predictors import (
    RIDGE_DB2,
    LinearChain,
    LinearChainFit,
    Persistence,
    contexts,
)
from training.baselines.scoring import SCORED_FROM
from training.grid import dequantize, quantize

MELS = 4


def music(frames: int, seed: int) -> np.ndarray:
    """Levels whose bins move together."""
    rng = np.random.default_rng(seed)
    shared = np.cumsum(rng.normal(0, 3, (frames, 1)), axis=0)
    return quantize(shared + rng.normal(0, 2, (frames, MELS)) - 40)


WINDOWS = [music(frames, seed) for seed, frames in enumerate((200, 150, 3, 2, 1))]


@pytest.fixture(scope="module")
def chain() -> LinearChain:
    fit = LinearChainFit(MELS)
    for window in WINDOWS:
        fit.add(window)
    return fit.result()


@pytest.mark.parametrize("mel", range(MELS))
def test_each_bin_is_the_ridge_regression_on_the_past_and_the_bins_below(
    chain: LinearChain, mel: int
) -> None:
    rows = np.concatenate([contexts(window) for window in WINDOWS])
    known = 2 * MELS + mel
    centered = rows - rows.mean(axis=0)
    ridge = np.sqrt(RIDGE_DB2 * len(rows)) * np.eye(known)
    regressors = np.concatenate([centered[:, :known], ridge])
    target = np.concatenate([centered[:, known], np.zeros(known)])
    weights = np.linalg.lstsq(regressors, target)[0]
    np.testing.assert_allclose(chain.weights[mel, :known], weights, atol=1e-8)
    assert not chain.weights[mel, known:].any()
    expected = rows[:, known].mean() + centered[:, :known] @ weights
    found = np.concatenate([chain.mean_db(window) for window in WINDOWS])[:, mel]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_what_is_predicted_is_not_seen(chain: LinearChain) -> None:
    """Neither the bin itself, nor those above it, nor any later frame."""
    window = music(20, 9)
    expected = chain.mean_db(window)
    for frame in range(SCORED_FROM, 20):
        for mel in range(MELS):
            changed = window.copy()
            changed[frame, mel:] += 40
            changed[frame + 1 :] += 40
            found = chain.mean_db(changed)[frame - SCORED_FROM, : mel + 1]
            np.testing.assert_allclose(found, expected[frame - SCORED_FROM, : mel + 1])


def test_persistence_is_the_last_frame() -> None:
    window = music(9, 0)
    np.testing.assert_array_equal(Persistence().mean_db(window), dequantize(window[1:-1]))


def test_a_chain_of_silence_predicts_silence() -> None:
    fit = LinearChainFit(MELS)
    silence = np.zeros((30, MELS), np.int32)
    fit.add(silence)
    np.testing.assert_allclose(fit.result().mean_db(silence), -100)


def test_a_chain_of_nothing_is_finite() -> None:
    assert np.isfinite(LinearChainFit(MELS).result().mean_db(music(9, 0))).all()
