from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, softmax
from scipy.stats import chisquare

from training.grid import N_LEVELS, dequantize, quantize
from training.models import likelihood
from training.models.likelihood import FLOOR, MAX_BITS, Mixture, bounded_log_scale

LOGITS = st.floats(-1e4, 1e4, width=32)
MEANS = st.floats(-1100, 1060, width=32) | st.floats(-100, 60, width=32)
SCALES = st.sampled_from([-1e9, -100.0, 0.0, 100.0, 1e9]) | st.floats(-3, 3, width=32)


def parameters(components: int = 3, bins: int = 2) -> st.SearchStrategy[tuple[np.ndarray, ...]]:
    """Logits, means and unbounded scales, each float32 [components, bins]."""
    return st.tuples(
        *(
            hnp.arrays(np.float32, (components, bins), elements=elements)
            for elements in (LOGITS, MEANS, SCALES)
        )
    )


def mixture_of(drawn: tuple[np.ndarray, ...]) -> Mixture:
    logits, means, raw = (tuple(tf.constant(row) for row in each) for each in drawn)
    return Mixture(logits, means, tuple(map(bounded_log_scale, raw)))


def typical(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    means = rng.uniform(-110, 70, (3, 2))
    return tuple(
        each.astype(np.float32)
        for each in (*rng.normal(size=(1, 3, 2)), means, rng.normal(size=(3, 2)))
    )


def every_level() -> np.ndarray:
    """[321, 2]: each level in both bins."""
    return np.stack([np.arange(N_LEVELS, dtype=np.int32)] * 2, axis=1)


def probabilities(mixture: Mixture) -> np.ndarray:
    return np.exp(likelihood.log_prob(mixture, every_level()).numpy().astype(np.float64))


def reference(logits: np.ndarray, means: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
    """The density as it stands in the module's docstring, in float64: log p, [321, 2]."""
    centers = dequantize(np.arange(N_LEVELS)).astype(np.float64)[:, None, None]
    scales = np.exp(log_scales)
    lower, upper = (centers - 0.25 - means) / scales, (centers + 0.25 - means) / scales
    lower[0], upper[-1] = -np.inf, np.inf
    above = lower + upper > 0
    lower, upper = np.where(above, -upper, lower), np.where(above, -lower, upper)
    mixed = (softmax(logits, axis=0) * (expit(upper) - expit(lower))).sum(axis=1)
    return np.asarray(np.log((1 - FLOOR) * mixed + FLOOR / N_LEVELS))


def in_float64(mixture: Mixture) -> list[np.ndarray]:
    return [
        np.array(each, np.float64) for each in (mixture.logits, mixture.means, mixture.log_scales)
    ]


@settings(deadline=None)
@given(parameters())
def test_probabilities_sum_to_one(drawn: tuple[np.ndarray, ...]) -> None:
    np.testing.assert_allclose(probabilities(mixture_of(drawn)).sum(axis=0), 1, atol=4e-6)


@settings(deadline=None)
@given(parameters())
def test_no_level_costs_more_than_the_floor_does(drawn: tuple[np.ndarray, ...]) -> None:
    cost = -likelihood.log_prob(mixture_of(drawn), every_level()).numpy() / math.log(2)
    assert cost.max() <= MAX_BITS + 1e-5 < 25
    assert cost.min() >= -1e-6


@settings(deadline=None)
@given(parameters())
def test_the_probability_is_that_of_the_formula_in_float64(
    drawn: tuple[np.ndarray, ...],
) -> None:
    mixture = mixture_of(drawn)
    found = likelihood.log_prob(mixture, every_level()).numpy()
    np.testing.assert_allclose(found, reference(*in_float64(mixture)), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(parameters(), st.sampled_from([0, 1, 160, N_LEVELS - 2, N_LEVELS - 1]))
def test_gradients_are_finite_and_bounded(drawn: tuple[np.ndarray, ...], level: int) -> None:
    variables = [[tf.constant(row) for row in each] for each in drawn]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        mixture = Mixture(
            tuple(variables[0]), tuple(variables[1]), tuple(map(bounded_log_scale, variables[2]))
        )
        found = likelihood.log_prob(mixture, tf.fill([2], level))
    logits, means, scales = tape.gradient(found, variables)
    assert np.abs(logits).max() <= 1
    assert np.abs(means).max() <= 1 / likelihood.MIN_SCALE_DB
    assert np.abs(scales).max() <= 200


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [0, 1, 150, N_LEVELS - 1])
def test_gradients_are_those_of_the_formula(seed: int, level: int) -> None:
    """By central differences of the formula in float64, within reach and 30 dB away."""
    logits, means, raw = typical(seed)
    means = dequantize(np.array([level])) + np.array([[-1, 30], [0.3, -2], [-4, 5]], np.float32)
    mixture = mixture_of((logits, means, raw))
    sources = [list(mixture.logits), list(mixture.means), list(mixture.log_scales)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        found = likelihood.log_prob(Mixture(*map(tuple, sources)), tf.fill([2], level))
    gradients = tape.gradient(found, sources)
    for kind, component in itertools.product(range(3), range(3)):
        ends = []
        for change in (1e-5, -1e-5):
            moved = in_float64(mixture)
            moved[kind][component] += change
            ends.append(reference(*moved)[level])
        expected = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradients[kind][component], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_samples_follow_the_density(seed: int) -> None:
    """A sound sampler fails a chi-square test at 1e-4; the six of them, once in 1,600 times."""
    mixture = mixture_of(typical(seed))
    uniform = np.random.default_rng(seed).random((2, 200_000, 2)) * (1 - 2e-7) + 1e-7
    mean, change = likelihood.draw(mixture, tf.constant(uniform, tf.float32), 1.0)
    levels = likelihood.nearest_levels(mean + change).numpy()
    expected = 200_000 * probabilities(mixture)
    for bin_number in range(2):
        found = np.bincount(levels[:, bin_number], minlength=N_LEVELS)
        common = expected[:, bin_number] >= 5
        # The floor is not drawn from, and what it would give is in the one class of rare levels.
        groups = np.append(found[common], found[~common].sum())
        wanted = np.append(expected[common, bin_number], expected[~common, bin_number].sum())
        assert chisquare(groups, wanted * groups.sum() / wanted.sum()).pvalue > 1e-4


def test_a_low_temperature_draws_the_mean_of_the_likeliest_component() -> None:
    logits, means, raw = typical(0)
    uniform = np.random.default_rng(0).random((2, 100, 2), np.float32) * 0.99 + 0.001
    mean, change = likelihood.draw(mixture_of((logits, means, raw)), tf.constant(uniform), 1e-3)
    expected = np.take_along_axis(means, logits.argmax(axis=0)[np.newaxis], axis=0)
    np.testing.assert_array_equal(mean, np.broadcast_to(expected, mean.shape))
    assert np.abs(change).max() < 0.5


def test_temperature_multiplies_the_square_of_a_scale() -> None:
    uniform = np.full((2, 1, 2), 0.7, np.float32)
    mixture = mixture_of(tuple(each[:1] for each in typical(0)))
    (mean, change), (same, warmer) = (
        likelihood.draw(mixture, tf.constant(uniform), temperature) for temperature in (1.0, 4.0)
    )
    np.testing.assert_array_equal(same, mean)
    np.testing.assert_allclose(warmer, 2 * change.numpy(), rtol=1e-6)


def test_the_nearest_levels_are_those_of_the_grid() -> None:
    db = np.linspace(-130, 80, 2_101, dtype=np.float32)
    np.testing.assert_array_equal(likelihood.nearest_levels(tf.constant(db)), quantize(db))


def test_packing_keeps_the_mixture() -> None:
    mixture = mixture_of(typical(0))
    packed = mixture.pack()
    assert packed.shape == (9, 2)
    again = Mixture.unpack(packed)
    for name in ("logits", "means", "log_scales"):
        np.testing.assert_array_equal(getattr(again, name), getattr(mixture, name))
