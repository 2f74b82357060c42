from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, log_mel_of, note, white_noise
from training.measures.levels import frame_levels, level_db, level_drift_db, level_sd_db
from training.novelty import spectral_summary


def test_the_level_is_that_of_the_spectral_summary() -> None:
    log_mel = log_mel_of(note(440, 2))
    expected = spectral_summary(log_mel, CONFIG).level_db
    assert level_db(log_mel, CONFIG) == pytest.approx(expected, abs=1e-9)


def test_the_level_of_a_sound_follows_its_amplitude() -> None:
    soft, loud = (level_db(log_mel_of(white_noise(2, each)), CONFIG) for each in (0.01, 0.1))
    assert loud - soft == pytest.approx(20, abs=0.01)


def test_a_level_is_of_power_and_not_of_decibels() -> None:
    log_mel = np.full((100, CONFIG.n_mels), -80.0)
    log_mel[:50] = 0
    loud = level_db(np.zeros((1, CONFIG.n_mels)), CONFIG)
    assert level_db(log_mel, CONFIG) == pytest.approx(loud + 10 * np.log10(0.5), abs=1e-6)


def test_two_levels_have_half_their_distance_as_deviation() -> None:
    log_mel = np.zeros((100, CONFIG.n_mels))
    log_mel[::2] = -12
    assert level_sd_db(log_mel, CONFIG) == pytest.approx(6, abs=1e-9)


def test_fast_changes_of_level_are_no_drift() -> None:
    frames = np.arange(430)
    fast = 10 * np.sin(2 * np.pi * frames / 10)[:, np.newaxis] + np.zeros(CONFIG.n_mels)
    slow = 10 * np.sin(2 * np.pi * frames / 430)[:, np.newaxis] + np.zeros(CONFIG.n_mels)
    assert level_sd_db(fast, CONFIG) == pytest.approx(level_sd_db(slow, CONFIG), rel=0.02)
    assert level_drift_db(fast, CONFIG) < 1
    assert level_drift_db(slow, CONFIG) == pytest.approx(19, abs=1)


def test_how_quiet_a_pause_is_does_not_matter() -> None:
    wanders = []
    for pause_db in (-70, -100):
        log_mel = np.zeros((430, CONFIG.n_mels))
        log_mel[:40] = pause_db
        wanders.append((level_sd_db(log_mel, CONFIG), level_drift_db(log_mel, CONFIG)))
    assert wanders[0] == pytest.approx(wanders[1], abs=1e-3)


def test_wander_is_invariant_to_gain_and_the_level_is_not() -> None:
    log_mel = np.random.default_rng(0).normal(-30, 8, (200, CONFIG.n_mels))
    for wander in (level_sd_db, level_drift_db):
        assert wander(log_mel + 17, CONFIG) == pytest.approx(wander(log_mel, CONFIG), abs=1e-9)
    assert level_db(log_mel + 17, CONFIG) == pytest.approx(level_db(log_mel, CONFIG) + 17)


def test_there_is_a_level_for_each_frame() -> None:
    assert frame_levels(np.zeros((7, CONFIG.n_mels), np.float32), CONFIG).shape == (7,)
