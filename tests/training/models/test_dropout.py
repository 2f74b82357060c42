from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.models.dropout import Dropout

ONES = tf.ones([20, 30, 40])


def test_a_share_is_zero_and_the_rest_makes_up_for_it() -> None:
    found = Dropout(0.25, seed=0)(ONES, training=True).numpy()
    assert set(np.unique(found)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (found == 0).mean() == pytest.approx(0.25, abs=0.01)


def test_nothing_is_dropped_outside_of_training_or_at_rate_zero() -> None:
    assert (Dropout(0.5, seed=0)(ONES).numpy() == 1).all()
    assert (Dropout(0.0, seed=0)(ONES, training=True).numpy() == 1).all()


def test_draws_go_on_and_are_a_function_of_the_seed() -> None:
    layer, same, other = (Dropout(0.5, seed=seed) for seed in (0, 0, 1))
    first, second = (layer(ONES, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    assert (other(ONES, training=True).numpy() != first).any()
    same.build(ONES.shape)
    same.draws.assign(1)
    np.testing.assert_array_equal(same(ONES, training=True), second)
    assert Dropout.from_config(layer.get_config()).get_config() == layer.get_config()
