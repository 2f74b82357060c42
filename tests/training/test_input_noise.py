from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.input_noise import RETURN, SHARE, draw_input_noise, remaining_noise

SHAPE = (400, 60, 4)


def drawn(input_noise_db: float = 10.0, seed: tuple[int, int] = (0, 0)) -> np.ndarray:
    return draw_input_noise(tf.constant(SHAPE), input_noise_db, tf.constant(seed)).numpy()


def test_it_is_a_function_of_its_seed() -> None:
    np.testing.assert_array_equal(drawn(), drawn())
    assert np.any(drawn() != drawn(seed=(0, 1)))
    assert np.any(drawn() != drawn(seed=(1, 0)))


def test_some_windows_are_left_as_they_are() -> None:
    untouched = np.all(drawn() == 0, axis=(1, 2))
    assert abs(untouched.mean() - (1 - SHARE)) < 0.1


def test_it_is_as_large_at_a_windows_end_as_at_its_start() -> None:
    noise = drawn()
    touched = noise[np.any(noise != 0, axis=(1, 2))]
    by_frame = touched.std(axis=(0, 2))
    expected = 10 * np.sqrt(1 / 3)  # of a uniform strength from 0 to 10 dB
    assert np.all(np.abs(by_frame / expected - 1) < 0.25)


def test_it_lasts() -> None:
    noise = drawn()
    correlation = np.sum(noise[:, 1:] * noise[:, :-1]) / np.sum(noise**2)
    assert 0.9 < correlation < 1


def test_none_is_none() -> None:
    assert np.all(drawn(input_noise_db=0) == 0)


def test_the_way_back_follows_the_last_noise() -> None:
    noise = drawn()
    left = remaining_noise(tf.constant(noise)).numpy()
    assert np.all(left[:, 0] == 0)
    np.testing.assert_allclose(left[:, 1:], (1 - RETURN) * noise[:, :-1], rtol=1e-6)
