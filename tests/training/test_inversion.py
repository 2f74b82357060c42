from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.dataset_factory import CONFIG
from training import TrainingError
from training.inversion import log_mel_of, mel_to_audio, mel_to_stft, read_audio, wav_bytes


def tone(hz: float = 440, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * CONFIG.sample_rate)) / CONFIG.sample_rate
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def test_levels_survive_the_way_to_sound_and_back() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, CONFIG.sample_rate).astype(np.float32)
    levels = log_mel_of(tone() + noise, CONFIG)
    again = log_mel_of(mel_to_audio(levels, CONFIG, length=CONFIG.sample_rate, seed=0), CONFIG)
    assert levels.shape == again.shape == (CONFIG.frame_count(CONFIG.sample_rate), CONFIG.n_mels)
    assert np.sqrt(np.mean((levels - again) ** 2)) < 3


def test_the_same_seed_makes_the_same_samples() -> None:
    levels = log_mel_of(tone(), CONFIG)
    first, second, other = (
        mel_to_audio(levels, CONFIG, length=CONFIG.sample_rate, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


def test_unmelled_power_has_the_mel_power_asked_for() -> None:
    rng = np.random.default_rng(0)
    filters = np.maximum(0, rng.normal(size=(4, 20)))
    filters[:, 0] = 0
    power = filters @ rng.exponential(size=(20, 6)) * np.logspace(-9, 3, 6)
    spectrum = mel_to_stft(power, filters)
    np.testing.assert_allclose(filters @ spectrum, power, rtol=0.05)
    assert np.all(spectrum[0] == 0)
    assert np.all(spectrum >= 0)


def test_silence_stays_silent() -> None:
    levels = np.full((20, CONFIG.n_mels), CONFIG.floor_db)
    samples = mel_to_audio(levels, CONFIG, length=1_250, seed=0)
    assert np.abs(samples).max() < 1e-3


@pytest.mark.parametrize(("peak", "expected_gain"), [(0.5, 1.0), (4.0, 0.25), (0.0, 1.0)])
def test_wav_fits_without_clipping(peak: float, expected_gain: float) -> None:
    samples = np.array([0, peak, -peak / 2], np.float32)
    data, gain = wav_bytes(samples, 4_000)
    assert gain == pytest.approx(expected_gain)
    read, rate = soundfile.read(io.BytesIO(data))
    assert rate == 4_000
    np.testing.assert_allclose(read, samples * gain, atol=1e-4)


def test_audio_is_read_as_mono_at_the_features_rate(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([tone(), np.zeros(4_000)], axis=1), 8_000)
    assert read_audio(path, CONFIG).shape == (2_000,)
    path.write_bytes(b"noise")
    with pytest.raises(TrainingError, match=r"x\.wav: cannot be read as audio"):
        read_audio(path, CONFIG)
