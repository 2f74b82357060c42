from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from schemas import FeatureConfig
from tests.support.measured_sounds import CONFIG, log_mel_of, note, white_noise
from training.measures import texture
from training.measures.texture import harmonic_combs, speckle_db

RNG = np.random.default_rng(0)


def comb_strength(log_mel: np.ndarray, config: FeatureConfig) -> float:
    found = texture.comb_strength(log_mel, config)
    assert found is not None
    return found


@pytest.mark.parametrize("std_db", [0.5, 2.0, 10.0])
def test_the_speckle_of_independent_noise_is_its_deviation(std_db: float) -> None:
    noise = RNG.normal(-40, std_db, (430, 128))
    assert speckle_db(noise) == pytest.approx(std_db, rel=0.02)


@pytest.mark.parametrize("std_db", [0.9, 1.0, 1.1])
def test_the_speckle_of_levels_on_a_grid_is_not_itself_on_one(std_db: float) -> None:
    noise = np.round(2 * RNG.normal(-40, std_db, (430, 128))) / 2
    expected = np.hypot(std_db, 0.5 / np.sqrt(12))
    assert speckle_db(noise) == pytest.approx(expected, rel=0.03)


def test_what_neighbors_share_is_no_speckle() -> None:
    attacks = RNG.normal(0, 10, (430, 1))
    partials = RNG.normal(0, 10, (1, 128))
    assert speckle_db(attacks + partials) == pytest.approx(0, abs=1e-9)
    speckled = attacks + partials + RNG.normal(0, 1, (430, 128))
    assert speckle_db(speckled) == pytest.approx(1, rel=0.02)


def test_few_onsets_do_not_change_speckle() -> None:
    noise = RNG.normal(0, 1, (430, 128))
    noise[50::50, ::2] += 30
    assert speckle_db(noise) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("hz", [196.0, 262.0, 440.0, 659.3])
def test_a_note_is_more_of_a_comb_than_noise(hz: float) -> None:
    tone = comb_strength(log_mel_of(note(hz, 2) + white_noise(2, 1e-3))[5:-5], CONFIG)
    noise = comb_strength(log_mel_of(white_noise(2)), CONFIG)
    assert tone > 0.6 > 0.4 > noise


def test_partials_without_a_common_fundamental_are_less_of_a_comb() -> None:
    frequencies = (220, 311, 517, 743, 941, 1_190, 1_610, 2_230)
    time = np.arange(2 * CONFIG.sample_rate) / CONFIG.sample_rate
    bells = sum(0.1 * np.sin(2 * np.pi * hz * time) for hz in frequencies)
    floor = white_noise(2, 1e-3)
    inharmonic = comb_strength(log_mel_of(np.asarray(bells) + floor), CONFIG)
    assert inharmonic < comb_strength(log_mel_of(note(220, 2) + floor), CONFIG) - 0.1


def test_comb_strength_is_invariant_to_gain_and_slow_filters() -> None:
    log_mel = log_mel_of(note(330, 1) + white_noise(1, 1e-3)).astype(np.float64)
    expected = comb_strength(log_mel, CONFIG)
    assert comb_strength(log_mel - 25, CONFIG) == pytest.approx(expected, abs=1e-9)
    filtered = log_mel + np.linspace(0, -30, CONFIG.n_mels)
    assert comb_strength(filtered, CONFIG) == pytest.approx(expected, abs=0.03)


def test_combs_have_unit_norm_and_no_level() -> None:
    combs = harmonic_combs(CONFIG)
    assert len(combs) > 80
    np.testing.assert_allclose(np.linalg.norm(combs, axis=1), 1)
    assert np.abs(combs.mean(axis=1)).max() < 0.02


def test_silence_is_no_comb() -> None:
    assert comb_strength(np.full((5, CONFIG.n_mels), CONFIG.floor_db), CONFIG) == 0


def test_bins_too_wide_for_combs_make_it_unknown() -> None:
    coarse = dataclasses.replace(CONFIG, n_mels=4)
    assert texture.comb_strength(np.zeros((5, 4)), coarse) is None
