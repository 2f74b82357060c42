from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from pipelines.audio.resampling import resampled_range
from schemas import Dataset
from tests.support.audio_files import reader_of
from tests.support.dataset_factory import CONFIG
from tests.support.reference import windows_of
from training import TrainingError
from training.grid import dequantize, quantize
from training.inversion import audio_to_log_mel, mel_to_audio, read_audio, wav_bytes


def tone(hz: float = 440, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * CONFIG.sample_rate)) / CONFIG.sample_rate
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def test_log_mels_survive_the_way_to_sound_and_back() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, CONFIG.sample_rate).astype(np.float32)
    log_mel = audio_to_log_mel(tone() + noise, CONFIG)
    again = audio_to_log_mel(
        mel_to_audio(log_mel, CONFIG, length=CONFIG.sample_rate, seed=0), CONFIG
    )
    assert log_mel.shape == again.shape == (CONFIG.frame_count(CONFIG.sample_rate), CONFIG.n_mels)
    assert np.sqrt(np.mean((log_mel - again) ** 2)) < 3


def test_a_log_mel_is_what_the_dataset_holds(tiny_root: Path, tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    config = dataset.config
    checked = 0
    for window in windows_of(dataset, "tfrecord"):
        (audio,) = tiny_root.glob(f"*_data/{window.recording_id}.wav")
        reader = reader_of(audio.read_bytes())
        length = config.resampled_length(reader.header.samples, reader.header.sample_rate)
        log_mel = audio_to_log_mel(resampled_range(reader, 0, length, config), config)
        valid, first = window.valid_frames, window.first_frame
        ours = log_mel[first : first + valid]
        np.testing.assert_allclose(ours, window.features["log_mel"][:valid], atol=1e-4)
        checked += 1
    assert checked > 20


@pytest.mark.filterwarnings("ignore:n_fft=256 is too large")
@pytest.mark.parametrize("samples", [1, 63, 64, 127, 128, 1_000])
def test_every_length_has_its_frames(samples: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    mel = librosa.feature.melspectrogram(
        y=noise, sr=CONFIG.sample_rate, n_fft=CONFIG.n_fft, hop_length=CONFIG.hop_length,
        n_mels=CONFIG.n_mels, fmax=CONFIG.fmax,
    )  # fmt: skip
    expected = 10 * np.log10(np.maximum(CONFIG.amin, mel)).T
    np.testing.assert_allclose(audio_to_log_mel(noise, CONFIG), expected, atol=1e-3)


@pytest.mark.parametrize("sample", [np.nan, np.inf])
def test_audio_that_is_not_finite_is_rejected(sample: float, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.array([0, sample, 0], np.float32), CONFIG.sample_rate, "FLOAT")
    with pytest.raises(TrainingError, match=r"x\.wav: holds NaN or infinite samples"):
        read_audio(path, CONFIG)


def test_the_same_seed_makes_the_same_samples() -> None:
    log_mel = audio_to_log_mel(tone(), CONFIG)
    first, second, other = (
        mel_to_audio(log_mel, CONFIG, length=CONFIG.sample_rate, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


def test_silence_stays_silent() -> None:
    log_mel = np.full((20, CONFIG.n_mels), CONFIG.floor_db)
    samples = mel_to_audio(log_mel, CONFIG, length=1_250, seed=0)
    assert np.all(samples == 0)


@pytest.mark.parametrize("floor_db", [-80.0, -79.76, -79.75, -79.74])
def test_the_lowest_level_is_silent_on_the_grid_as_well(floor_db: float) -> None:
    config = dataclasses.replace(CONFIG, amin=10 ** (floor_db / 10))
    log_mel = dequantize(quantize(np.full((20, config.n_mels), config.floor_db)))
    assert np.all(mel_to_audio(log_mel, config, length=1_250, seed=0) == 0)


def test_levels_without_power_are_silent() -> None:
    log_mel = np.full((20, CONFIG.n_mels), -np.inf, np.float32)
    with np.errstate(invalid="raise"):
        assert np.all(mel_to_audio(log_mel, CONFIG, length=1_250, seed=0) == 0)
    log_mel = audio_to_log_mel(tone(), CONFIG)
    silenced = np.where(log_mel <= CONFIG.floor_db, -np.inf, log_mel)
    silenced[10:30] = -np.inf
    log_mel[10:30] = CONFIG.floor_db
    first, second = (
        mel_to_audio(each, CONFIG, length=CONFIG.sample_rate, seed=0)
        for each in (log_mel, silenced)
    )
    np.testing.assert_array_equal(first, second)
    assert np.any(first)


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
