from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logsumexp

from training import likelihood
from training.grid import N_LEVELS, dequantize

ANY_FLOAT = st.floats(-(2.0**100), 2.0**100, width=32)
RAW = hnp.arrays(np.float32, (1, 3, 3, 2), elements=ANY_FLOAT | st.floats(-5, 5, width=32))
REFERENCE = hnp.arrays(np.float32, (1, 2), elements=st.floats(-100, 60, width=32))
STD = np.array([1.0, 30.0], np.float32)


def every_level() -> np.ndarray:
    """[321, 2]: each level in both bins."""
    return np.stack([np.arange(N_LEVELS, dtype=np.int32)] * 2, axis=1)


def mixture_of(raw: np.ndarray, reference: np.ndarray) -> likelihood.Mixture:
    return likelihood.mixture_from(tf.constant(raw), tf.constant(reference), tf.constant(STD))


@settings(deadline=None)
@given(raw=RAW, reference=REFERENCE)
def test_masses_sum_to_one_and_are_finite(raw: np.ndarray, reference: np.ndarray) -> None:
    log_prob = likelihood.log_prob(mixture_of(raw, reference), every_level()).numpy()
    assert np.all(np.isfinite(log_prob))
    np.testing.assert_allclose(np.exp(log_prob.astype(np.float64)).sum(axis=0), 1, atol=1e-3)


@settings(deadline=None)
@given(raw=RAW, reference=REFERENCE, level=st.integers(0, N_LEVELS - 1))
def test_gradients_are_finite(raw: np.ndarray, reference: np.ndarray, level: int) -> None:
    variable = tf.Variable(raw)
    with tf.GradientTape() as tape:
        mixture = likelihood.mixture_from(variable, tf.constant(reference), tf.constant(STD))
        loss = -likelihood.log_prob(mixture, tf.fill([1, 2], level))
    assert np.all(np.isfinite(tape.gradient(loss, variable)))


def reference_log_prob(raw: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Equation 2 of PixelCNN++ as it stands, in float64: [321, 2]."""
    logits, shifts, widths = raw[0].astype(np.float64)
    weights = np.exp(logits - logsumexp(logits, axis=0))
    reach = likelihood.REACH_DB
    means = reference[0] + reach * np.tanh(shifts * STD / reach)
    low, high = np.log(likelihood.MIN_SCALE_DB), np.log(likelihood.MAX_SCALE_DB)
    scales = np.exp(low + (high - low) * expit(widths))
    centers = dequantize(np.arange(N_LEVELS)).astype(np.float64)[:, None, None]
    upper = expit((centers + 0.25 - means) / scales)
    lower = expit((centers - 0.25 - means) / scales)
    upper[-1], lower[0] = 1, 0
    with np.errstate(divide="ignore"):
        return np.log((weights * (upper - lower)).sum(axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_log_prob_is_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(1, 3, 3, 2)).astype(np.float32)
    reference = rng.uniform(-90, 50, (1, 2)).astype(np.float32)
    ours = likelihood.log_prob(mixture_of(raw, reference), every_level()).numpy()
    expected = reference_log_prob(raw, reference)
    near = expected > -25  # further out, the formula as it stands loses its digits
    np.testing.assert_allclose(ours[near], expected[near], rtol=2e-4, atol=2e-4)


def test_samples_follow_the_masses() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(1, 3, 3, 2)).astype(np.float32)
    raw[:, 2] -= 1
    mixture = mixture_of(raw, np.array([[-20, -60]], np.float32))
    uniform = rng.random((2, 200_000, 2), np.float32) * 0.9999999 + 1e-8
    levels = likelihood.sample(mixture, tf.constant(uniform, tf.float32), 1.0).numpy()
    masses = np.exp(likelihood.log_prob(mixture, every_level()).numpy())
    for bin_number in range(2):
        found = np.bincount(levels[:, bin_number], minlength=N_LEVELS) / len(levels)
        assert np.abs(found - masses[:, bin_number]).sum() < 0.05


def test_low_temperature_gives_the_mean_of_the_likeliest_component() -> None:
    raw = np.zeros((1, 3, 2, 2), np.float32)
    raw[0, 0, 1], raw[0, 1, 1] = 1, 0.5
    mixture = likelihood.mixture_from(
        tf.constant(raw), tf.constant([[-20.0, -60.0]]), tf.constant(STD)
    )
    uniform = tf.random.stateless_uniform([2, 100, 2], [0, 0], 1e-6, 1)
    levels = likelihood.sample(mixture, uniform, 1e-3).numpy()
    assert (
        np.unique(levels, axis=0).tolist()
        == np.rint((mixture.means.numpy()[:, 1] + 100) * 2).astype(int).tolist()
    )


def test_mean_is_within_the_grid() -> None:
    raw = np.full((1, 3, 1, 2), 1e9, np.float32)
    assert likelihood.mean_db(mixture_of(raw, np.array([[60, 60]], np.float32))).numpy().max() == 60
