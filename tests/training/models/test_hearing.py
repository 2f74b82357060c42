from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.grid import N_LEVELS, dequantize
from training.models.hearing import MIN_STD_DB, Hearing, delayed, features, features_width


def hearing() -> Hearing:
    layer = Hearing(dtype="float32")
    layer.build((None, None, 3))
    layer.set_statistics([-20, -40, -60], [5, 10, 0.01])
    return layer


def test_levels_are_normalized_by_the_statistics() -> None:
    levels = np.repeat(np.arange(N_LEVELS)[:, np.newaxis], 3, axis=1)
    expected = (dequantize(levels) - [-20, -40, -60]) / [5, 10, MIN_STD_DB]
    np.testing.assert_allclose(hearing().normalize(tf.constant(levels)), expected, rtol=1e-5)


def test_normalized_levels_become_db_again() -> None:
    db = np.linspace(-100, 60, N_LEVELS * 3).reshape(-1, 3).astype(np.float32)
    back = hearing().to_db(hearing()(db)).numpy()
    assert np.abs(back - db).max() <= 0.25 + 1e-4


def test_statistics_are_not_trained() -> None:
    assert hearing().trainable_variables == []
    assert len(hearing().non_trainable_variables) == 2


def test_a_frame_is_delayed_by_one() -> None:
    frames = tf.reshape(tf.range(1.0, 13.0), [1, 4, 3])
    found = delayed(frames).numpy()[0]
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9]])


def test_features_are_the_frame_its_change_and_the_level_of_the_noise() -> None:
    frame, before = tf.constant([[[3.0, 5.0]]]), tf.constant([[[1.0, 1.0]]])
    found = features(frame, before, tf.constant([[[0.5]]]))
    assert found.numpy().tolist() == [[[3, 5, 2, 4, 0.5]]]
    assert found.shape[-1] == features_width(2)
