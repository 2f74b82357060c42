from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from scipy.stats import chisquare

from training.grid import N_LEVELS
from training.models.heads import ChainedHead, IndependentHead
from training.models.hearing import Hearing
from training.models.likelihood import Mixture

N_MELS, UNITS, COMPONENTS = 6, 5, 3


def hearing() -> Hearing:
    layer = Hearing(dtype="float32")
    layer.build((None, None, N_MELS))
    layer.set_statistics(np.linspace(-20, -60, N_MELS), np.linspace(5, 12, N_MELS))
    return layer


def head_of(kind: type[IndependentHead], seed: int, size: float = 0.5) -> IndependentHead:
    """A head with random weights."""
    head = kind(N_MELS, COMPONENTS, dtype="float32")
    head.build((None, None, UNITS))
    rng = np.random.default_rng(seed)
    head.set_weights([rng.normal(0, size, each.shape) for each in head.get_weights()])
    return head


def inputs(seed: int, frames: int = 4) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
    """What the trunk says, a base for each component, and the frames: [2, frames, ...]."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(2, frames, UNITS)).astype(np.float32)
    *bases, targets = (
        hearing().normalize(tf.constant(rng.integers(0, N_LEVELS, (2, frames, N_MELS))))
        for _ in range(COMPONENTS + 1)
    )
    return tf.constant(hidden), bases, targets


def arrays(mixture: Mixture) -> np.ndarray:
    """[parameters, batch, frames, n_mels]."""
    return np.array([*mixture.logits, *mixture.means, *mixture.log_scales])


def test_the_mean_of_a_component_moves_with_its_base() -> None:
    head = head_of(IndependentHead, 4)
    hidden, bases, targets = inputs(4)
    before = head(hidden, bases, targets)
    after = head(hidden, [bases[0] + 2, *bases[1:]], targets)
    np.testing.assert_allclose(after.means[0], before.means[0] + 2, rtol=1e-5)
    np.testing.assert_array_equal(after.means[1], before.means[1])


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1e-3, 1.0, 1e3]),
    changed=st.integers(0, N_MELS - 1),
)
def test_a_bin_depends_on_those_below_it_alone(seed: int, size: float, changed: int) -> None:
    head = head_of(ChainedHead, seed, size)
    hidden, bases, targets = inputs(seed)
    other = targets.numpy()
    other[..., changed] += 3
    before, after = (arrays(head(hidden, bases, each)) for each in (targets, other))
    np.testing.assert_array_equal(before[..., : changed + 1], after[..., : changed + 1])
    moved = (before != after).any(axis=(0, 1, 2))
    assert not moved[: changed + 1].any()
    assert size != 1 or moved[changed + 1 :].all()


def test_the_shift_is_a_matrix_of_the_frame_times_the_innovations() -> None:
    head = head_of(ChainedHead, 1)
    hidden, bases, targets = inputs(1)
    past = head._given_past(hidden, bases)
    logits, means = np.array(past.logits, np.float64), np.array(past.means, np.float64)
    weights = np.exp(logits) / np.exp(logits).sum(axis=0)
    innovations = targets.numpy() - (weights * means).sum(axis=0)
    kernel, bias = (each.numpy() for each in head._gates.weights)
    gates = np.tanh(hidden.numpy() @ kernel + bias)
    always, *gated = np.tril(head.chains.numpy(), -1)
    matrices = always + np.einsum("bfg,gij->bfij", gates, np.array(gated))
    shift = np.einsum("bfij,bfj->bfi", matrices, innovations)
    found = head(hidden, bases, targets)
    np.testing.assert_allclose(np.array(found.means), means + shift, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.logits, past.logits)
    np.testing.assert_array_equal(found.log_scales, past.log_scales)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0.1, 0.5, 2.0])
def test_a_sample_is_what_teacher_forcing_gives_each_bin(seed: int, size: float) -> None:
    """Each bin's level, from the mixture that teacher forcing has for it on the sample itself."""
    head, ear = head_of(ChainedHead, seed, size), hearing()
    hidden, bases, _ = inputs(seed)
    rng = np.random.default_rng(seed)
    uniform = tf.constant(rng.uniform(1e-6, 1 - 1e-6, (2, *bases[0].shape)), tf.float32)
    levels = head.sample(hidden, bases, uniform, 1.0, ear)
    mixture = head(hidden, bases, ear.normalize(levels))
    mean, noise = draw_in_float64(mixture, uniform.numpy().astype(np.float64))
    wanted = (np.asarray(ear.to_db(tf.constant(mean, tf.float32))) + noise + 100) * 2
    inside = np.clip(wanted, 0, N_LEVELS - 1)
    # Half a step is the rounding; the rest is float32's.
    assert np.abs(levels.numpy() - inside).max() < 0.5 + 1e-3 * max(1, np.abs(wanted).max() / 300)


def draw_in_float64(mixture: Mixture, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits = np.array(mixture.logits, np.float64)
    weights = np.exp(logits - logits.max(axis=0))
    ends = np.cumsum(weights / weights.sum(axis=0), axis=0)[:-1]
    chosen = (uniform[0] >= ends).sum(axis=0)[np.newaxis]
    mean, log_scale = (
        np.take_along_axis(np.array(each, np.float64), chosen, axis=0)[0]
        for each in (mixture.means, mixture.log_scales)
    )
    return mean, np.exp(log_scale) * (np.log(uniform[1]) - np.log1p(-uniform[1]))


def without_chains(head: ChainedHead) -> IndependentHead:
    independent = head_of(IndependentHead, 0)
    independent._parameters.set_weights(head._parameters.get_weights())
    return independent


def test_an_independent_head_is_a_chained_one_whose_matrices_are_zero() -> None:
    chained = head_of(ChainedHead, 0)
    chained.chains.assign(np.triu(np.ones(chained.chains.shape)))
    independent = without_chains(chained)
    values = inputs(3)
    np.testing.assert_array_equal(arrays(chained(*values)), arrays(independent(*values)))
    rng = np.random.default_rng(0)
    uniform = tf.constant(rng.uniform(1e-6, 1 - 1e-6, (2, *values[2].shape)), tf.float32)
    np.testing.assert_array_equal(
        *(each.sample(*values[:2], uniform, 1.0, hearing()) for each in (chained, independent))
    )


@pytest.mark.parametrize("seed", range(3))
def test_samples_follow_the_density_bin_after_bin(seed: int) -> None:
    """Each bin's share of mass below its level, given those below it, is uniform in both bins.

    A chi-square test over the pairs of tenths, which a sound sampler fails at 1e-4.
    """
    head, ear, count = head_of(ChainedHead, seed), hearing(), 20_000
    head.chains.assign(np.full(head.chains.shape, 0.9))
    hidden, *bases = (
        tf.repeat(each[:1, :1], count, axis=1) for each in (inputs(seed)[0], *inputs(seed)[1])
    )
    rng = np.random.default_rng(seed)
    uniform = tf.constant(rng.uniform(1e-6, 1 - 1e-6, (2, *bases[0].shape)), tf.float32)
    levels = head.sample(hidden, bases, uniform, 1.0, ear)
    mixture = head(hidden, bases, ear.normalize(levels))
    low, high = (mass_below(mixture, ear, levels.numpy() + side) for side in (0, 1))
    share = (low + rng.random(low.shape) * (high - low))[0]
    tenths = np.clip((10 * share).astype(int), 0, 9)
    for lower, upper in itertools.combinations(range(3), 2):
        found = np.bincount(10 * tenths[:, lower] + tenths[:, upper], minlength=100)
        assert chisquare(found).pvalue > 1e-4


def mass_below(mixture: Mixture, ear: Hearing, levels: np.ndarray) -> np.ndarray:
    """What the mixture has below the steps of `levels`, in float64."""
    logits, means, log_scales = (
        np.array(each, np.float64) for each in (mixture.logits, mixture.means, mixture.log_scales)
    )
    means_db = means * ear.std_db.numpy() + ear.mean_db.numpy()
    ends = np.where(levels == 0, -np.inf, -100.25 + 0.5 * levels)
    ends = np.where(levels == N_LEVELS, np.inf, ends)
    masses = expit((ends - means_db) / np.exp(log_scales))
    return np.asarray((softmax(logits, axis=0) * masses).sum(axis=0))


def test_a_head_begins_with_scales_that_differ() -> None:
    head = ChainedHead(N_MELS, COMPONENTS, dtype="float32")
    head.build((None, None, UNITS))
    scales = arrays(head(*inputs(0)))[6:].mean(axis=(1, 2, 3))
    assert np.diff(scales).min() > 0.5


def test_a_head_is_made_from_its_config() -> None:
    head = ChainedHead(N_MELS, 2, seed=4, dtype="float32")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert again.get_config() == head.get_config()


@pytest.mark.parametrize("seed", range(5))
def test_a_cold_sample_is_the_likeliest_component_in_every_bin(seed: int) -> None:
    """The chain amplifies no difference between that component and the mean of the mixture."""
    chained, ear = head_of(ChainedHead, seed), hearing()
    chained.chains.assign(chained.chains / len(chained.chains.numpy()))
    independent = without_chains(chained)
    hidden, _, _ = inputs(seed)
    frames = tf.zeros([*hidden.shape[:-1], N_MELS])
    uniform = tf.fill([2, *frames.shape], 0.5)
    levels, expected = (
        head.sample(hidden, [frames] * COMPONENTS, uniform, 1e-6, ear).numpy()
        for head in (chained, independent)
    )
    # Levels are on a grid, and the chain makes up to a few steps of what that rounds.
    assert np.abs(levels - expected).max() <= 3
