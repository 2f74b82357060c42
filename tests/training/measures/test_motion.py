from __future__ import annotations

import numpy as np
import pytest
from librosa.onset import onset_strength

from tests.support.measured_sounds import CONFIG, clicks, log_mel_of, note, white_noise
from training.measures.motion import (
    flux_percentile_db,
    joint_rises,
    onsets_per_second,
    spectral_flux,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("per_second", [1, 2, 4, 8])
def test_the_clicks_of_a_track_are_counted(per_second: int) -> None:
    log_mel = log_mel_of(clicks(per_second, 10))
    assert onsets_per_second(log_mel, CONFIG) == pytest.approx(per_second, abs=0.1)


def test_a_steady_tone_has_no_onset() -> None:
    assert onsets_per_second(log_mel_of(note(220, 5))[5:-5], CONFIG) == 0


def test_repeated_notes_are_counted() -> None:
    one = note(330, 0.5) * np.exp(-6 * np.arange(11_025) / 11_025)
    log_mel = log_mel_of(np.tile(one, 16))
    assert onsets_per_second(log_mel, CONFIG) == pytest.approx(2, abs=0.15)


def test_clicks_are_joint_rises_and_noise_has_none() -> None:
    assert joint_rises(log_mel_of(clicks(2, 10))) > 0.04
    assert joint_rises(log_mel_of(white_noise(10))[5:-5]) == 0  # without its beginning


def test_the_flux_is_that_of_librosa() -> None:
    log_mel = RNG.normal(-30, 10, (50, CONFIG.n_mels))
    expected = onset_strength(
        S=log_mel.T, sr=CONFIG.sample_rate, hop_length=CONFIG.hop_length, center=False
    )
    np.testing.assert_allclose(spectral_flux(log_mel), expected, atol=1e-5)


def test_percentiles_of_the_flux_leave_the_first_frame_out() -> None:
    ramp = np.arange(30)[:, np.newaxis] * np.full(CONFIG.n_mels, 1.5)
    assert [flux_percentile_db(ramp, percent) for percent in (0, 50, 100)] == [1.5, 1.5, 1.5]


def test_motion_is_invariant_to_gain() -> None:
    log_mel = log_mel_of(clicks(3, 4))
    louder = log_mel.astype(np.float64) + 11
    assert joint_rises(louder) == pytest.approx(joint_rises(log_mel), abs=0.01)
    assert onsets_per_second(louder, CONFIG) == onsets_per_second(log_mel, CONFIG)
    assert flux_percentile_db(louder, 95) == pytest.approx(flux_percentile_db(log_mel, 95))
