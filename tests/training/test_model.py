from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training import TrainingError, likelihood
from training.config import KINDS, ModelConfig
from training.model import SpectrogramModel, negative_log_likelihood

MELS = 6


def make_model(kind: str, seed: int = 0) -> SpectrogramModel:
    """A model whose weights are large enough for every input to matter."""
    model = SpectrogramModel(
        ModelConfig(kind, (7, 5), MELS, mixtures=2), np.full(MELS, -30), np.full(MELS, 20)
    )
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


def random_levels(batch: int = 3, frames: int = 11) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 321, (batch, frames, MELS)).astype(np.int32)


@pytest.mark.parametrize("kind", KINDS)
def test_stepping_is_the_same_as_the_whole_sequence(kind: str) -> None:
    model, levels = make_model(kind), random_levels()
    whole = model(levels)
    frame, state = model.start(len(levels))
    for number in range(levels.shape[1]):
        mixture, state = model.step(frame, state)
        for ours, theirs in zip(vars(mixture).values(), vars(whole).values(), strict=True):
            np.testing.assert_allclose(ours, theirs[:, number], rtol=1e-4, atol=1e-4)
        frame = model.normalize(levels[:, number])


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_depends_on_all_that_is_before_it_and_on_nothing_else(kind: str) -> None:
    model, levels = make_model(kind), random_levels(batch=1)
    before = likelihood.mean_db(model(levels)).numpy()
    changed = levels.copy()
    changed[0, 4] = 320 - changed[0, 4]
    after = likelihood.mean_db(model(changed)).numpy()
    np.testing.assert_array_equal(after[0, :5], before[0, :5])
    assert np.all(np.any(after[0, 5:] != before[0, 5:], axis=-1))


def test_nats_are_the_sum_over_the_scored_frames() -> None:
    model, levels = make_model("gru"), random_levels()
    valid = np.array([11, 4, 1], np.int32)
    every = -likelihood.log_prob(model(levels), levels).numpy().mean(axis=-1)
    for first in (0, 2):
        expected = [row[first:end].sum() for row, end in zip(every, valid, strict=True)]
        np.testing.assert_allclose(
            negative_log_likelihood(model, levels, valid, first), expected, rtol=1e-5
        )


def test_padding_has_no_gradient() -> None:
    model, levels = make_model("gru"), random_levels(batch=1)
    padded = levels.copy()
    padded[0, 6:] = 0

    def gradients(levels: np.ndarray) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(negative_log_likelihood(model, levels, np.array([6], np.int32)))
        return [value.numpy() for value in tape.gradient(loss, model.trainable_variables)]

    for ours, theirs in zip(gradients(levels), gradients(padded), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_initial_weights_are_a_function_of_the_seed() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        config = ModelConfig("gru", (4, 4), MELS)
        return SpectrogramModel(config, np.zeros(MELS), np.ones(MELS), seed=seed).get_weights()

    first, second, other = weights(0), weights(0), weights(1)
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any(np.any(ours != theirs) for ours, theirs in zip(first, other, strict=True))
    assert np.any(first[1] != first[4]), "two layers begin with the same weights"


def test_a_new_model_expects_the_last_level_again() -> None:
    model = SpectrogramModel(ModelConfig("gru", (4,), MELS), np.full(MELS, -30), np.zeros(MELS))
    levels = random_levels()
    means = likelihood.mean_db(model(levels)).numpy()
    assert np.abs(means[:, 1:] - (-100 + 0.5 * levels[:, :-1])).max() < 10


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "cnn"}, "model='cnn' must be one of rnn, gru, lstm"),
        ({"units": ()}, r"units=\(\) must name 1 to 64 layers"),
        ({"units": (4, 0)}, "units=0 must be an integer from 1 to 65536"),
        ({"units": 4}, "units=4 must be a list of integers"),
        ({"units": (1,) * 65}, "must name 1 to 64 layers"),
        ({"mixtures": 0}, "mixtures=0"),
        ({"mixtures": 10**6}, "mixtures=1000000"),
        ({"n_mels": 2**40}, "n_mels=1099511627776"),
    ],
)
def test_impossible_models_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        ModelConfig(**values)
