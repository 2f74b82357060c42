from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG
from training.measures.controls import blurred, controls, drone, shuffled, softer, stationary_noise

MUSIC = np.random.default_rng(0).normal(-40, 10, (430, CONFIG.n_mels)).astype(np.float32)
MEAN, STD = np.linspace(-10, -70, CONFIG.n_mels), np.linspace(2, 12, CONFIG.n_mels)


def test_noise_has_the_mean_and_deviation_of_each_bin() -> None:
    noise = np.concatenate([stationary_noise(MUSIC, MEAN, STD, seed) for seed in range(10)])
    np.testing.assert_allclose(noise.mean(axis=0), MEAN, atol=1)
    np.testing.assert_allclose(noise.std(axis=0), STD, rtol=0.1)


def test_shuffled_frames_are_the_same_frames() -> None:
    other = shuffled(MUSIC, 0)
    assert (other != MUSIC).any()
    order = np.argsort(MUSIC[:, 0])
    np.testing.assert_array_equal(other[np.argsort(other[:, 0])], MUSIC[order])


def test_a_blur_is_the_mean_of_half_a_second() -> None:
    expected = MUSIC[189:211].mean(axis=0)
    np.testing.assert_allclose(blurred(MUSIC, CONFIG)[200], expected, rtol=1e-4)


def test_a_softer_sound_stays_above_the_floor() -> None:
    quiet = softer(np.minimum(MUSIC, -70), CONFIG)
    assert quiet.min() == CONFIG.floor_db
    np.testing.assert_allclose(softer(MUSIC + 60, CONFIG), MUSIC + 40, rtol=1e-5)


@pytest.mark.parametrize("noise_db", [0.0, 3.0])
def test_a_drone_is_one_frame_and_noise(noise_db: float) -> None:
    held = drone(MUSIC, noise_db, 0)
    np.testing.assert_allclose((held - MUSIC[215]).std(), noise_db, rtol=0.02, atol=1e-6)


def test_every_control_has_windows_like_the_given() -> None:
    made = controls([MUSIC, MUSIC[:50]], CONFIG, MEAN, STD)
    assert len(made) == 6
    for windows in made.values():
        assert [each.shape for each in windows] == [MUSIC.shape, (50, CONFIG.n_mels)]
        assert all(each.dtype == np.float32 for each in windows)
