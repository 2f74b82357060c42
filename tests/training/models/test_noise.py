from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.models.noise import MEMORY, InputNoise, with_noise


def frames(seed: int = 0, windows: int = 3, count: int = 40) -> tf.Tensor:
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(windows, count, 4)), tf.float32)


def test_noise_of_level_zero_changes_no_bit() -> None:
    found = with_noise(frames(0), frames(1), tf.zeros([3, 1, 1]))
    assert found.numpy().tobytes() == frames(0).numpy().tobytes()


def test_there_is_no_noise_outside_of_training() -> None:
    found, level = InputNoise(0.6, seed=0)(frames(), training=False)
    assert found.numpy().tobytes() == frames().numpy().tobytes()
    assert not level.numpy().any()


def test_noise_in_training_has_the_level_that_is_given_to_the_network() -> None:
    zeros = tf.zeros([200, 300, 8])
    found, level = InputNoise(0.6, seed=0)(zeros, training=True)
    assert level.shape == (200, 1, 1)
    assert 0 <= level.numpy().min() < 0.05
    assert 0.55 < level.numpy().max() <= 0.6
    assert 0.05 < np.median(level) < 0.1
    deviation = found.numpy().std(axis=(1, 2))
    # 2,400 values, about 60 of them independent.
    np.testing.assert_allclose(deviation, level.numpy()[:, 0, 0], rtol=0.4, atol=1e-5)


def test_noise_is_a_stationary_autoregression() -> None:
    white = tf.random.stateless_normal([2_000, 30, 8], [0, 0])
    noise = with_noise(tf.zeros_like(white), white, tf.ones([2_000, 1, 1])).numpy()
    np.testing.assert_allclose(noise.std(axis=(0, 2)), 1, atol=0.03)
    for lag in (1, 5):
        products = (noise[:, lag:] * noise[:, :-lag]).mean()
        np.testing.assert_allclose(products, MEMORY**lag, atol=0.03)


def test_draws_go_on_and_are_a_function_of_the_seed() -> None:
    one, other = InputNoise(0.6, seed=3), InputNoise(0.6, seed=3)
    first, second = (one(frames(), training=True)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, other(frames(), training=True)[0])
    assert (first != second).any()
