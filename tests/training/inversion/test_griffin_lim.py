from __future__ import annotations

import dataclasses
import gc
import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from pipelines.demo.synthesis import SAMPLE_RATE, Note, render
from schemas import PRESETS, FeatureConfig
from tests.support.dataset_factory import CONFIG
from training.inversion import audio_to_log_mel, griffin_lim, mel_to_audio
from training.inversion.griffin_lim import filter_shares, mel_gains, sound_of_mel_power

PIANO, VIOLIN = 1, 41


@pytest.fixture(scope="module")
def music() -> NDArray[np.float32]:
    """Three seconds of a violin over a piano's chords, at 22,050 Hz."""
    second = SAMPLE_RATE
    chords = [
        Note(beat * second, (beat + 1) * second, pitch, 0.6, PIANO)
        for beat, pitches in enumerate([(48, 60, 64), (53, 60, 69), (43, 59, 67)])
        for pitch in pitches
    ]
    melody = [
        Note(step * second // 2, (step + 1) * second // 2, pitch, 0.8, VIOLIN)
        for step, pitch in enumerate([72, 76, 77, 81, 79, 74])
    ]
    return np.ascontiguousarray(render(chords + melody, 3 * second, seed=0)[::2])


def round_trips(samples: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """The levels of inverted sounds, of several seeds, minus those of `samples`, in dB."""
    log_mel = audio_to_log_mel(samples, config)
    again = [mel_to_audio(log_mel, config, length=len(samples), seed=seed) for seed in range(3)]
    return np.stack([audio_to_log_mel(each, config) - log_mel for each in again])


def rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


@pytest.mark.parametrize(
    ("config", "most_db"),
    [
        (PRESETS["librosa"], 0.75),
        (PRESETS["melnet"], 0.75),
        (FeatureConfig(win_length=1_200, fmin=60, fmax=8_000, n_mels=80), 0.4),
        (FeatureConfig(n_fft=256, win_length=200, hop_length=64, n_mels=16), 0.4),
    ],
    ids=["librosa", "melnet", "short window, narrow band", "short transform"],
)
def test_music_has_the_mel_power_that_was_inverted(
    music: NDArray[np.float32], config: FeatureConfig, most_db: float
) -> None:
    assert rms(round_trips(music, config)) < most_db


def test_quiet_bins_are_nearly_as_right_as_loud_ones(music: NDArray[np.float32]) -> None:
    config = FeatureConfig()
    differences = round_trips(music, config)
    log_mel = audio_to_log_mel(music, config)
    first, median, third = np.percentile(log_mel, (25, 50, 75))
    quarters = (
        (log_mel < first, 1.3),
        ((log_mel >= first) & (log_mel < median), 0.9),
        ((log_mel >= median) & (log_mel < third), 0.6),
        (log_mel >= third, 0.3),
    )
    for chosen, most_db in quarters:
        assert rms(differences[:, chosen]) < most_db
        assert abs(float(np.mean(differences[:, chosen]))) < 0.3


@pytest.mark.parametrize("gain_db", [-60, 0, 300])
def test_a_gain_of_levels_is_a_gain_of_samples(music: NDArray[np.float32], gain_db: int) -> None:
    config = FeatureConfig(amin=1e-30)
    log_mel = audio_to_log_mel(music, config)
    plain = mel_to_audio(log_mel, config, length=len(music), seed=0)
    louder = mel_to_audio(log_mel + gain_db, config, length=len(music), seed=0)
    level = 20 * np.log10(rms(louder) / rms(plain))
    assert level == pytest.approx(gain_db, abs=0.01)
    assert 20 * np.log10(rms(plain) / rms(music)) == pytest.approx(0, abs=0.5)


def test_silence_around_sound_stays_silent(music: NDArray[np.float32]) -> None:
    config = FeatureConfig()
    silence = np.zeros_like(music)
    log_mel = audio_to_log_mel(np.concatenate([silence, music, silence]), config)
    samples = mel_to_audio(log_mel, config, length=3 * len(music), seed=0)
    assert rms(samples[len(music) : -len(music)]) == pytest.approx(rms(music), rel=0.1)
    assert np.abs(samples[: len(music) - 2 * config.n_fft]).max() < 1e-4
    assert np.abs(samples[-len(music) + 2 * config.n_fft :]).max() < 1e-4


@pytest.mark.parametrize("length", [1, 511, 512, 513, 1_023])
def test_short_sounds_have_the_mel_power_that_was_inverted(
    music: NDArray[np.float32], length: int
) -> None:
    start = SAMPLE_RATE // 8
    assert rms(round_trips(music[start : start + length], FeatureConfig())) < 0.75


@pytest.mark.parametrize("length", [0, 1, 63, 64, 1_000])
@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        dataclasses.replace(CONFIG, win_length=1),
        dataclasses.replace(CONFIG, hop_length=256),
        dataclasses.replace(CONFIG, hop_length=400),
        dataclasses.replace(CONFIG, n_mels=100),
    ],
    ids=["overlapping", "window of one sample", "no overlap", "gaps", "empty filters"],
)
def test_every_length_and_configuration_has_finite_samples(
    config: FeatureConfig, length: int
) -> None:
    rng = np.random.default_rng(0)
    power = rng.exponential(size=(config.frame_count(length), config.n_mels)).astype(np.float32)
    samples = sound_of_mel_power(power, config, length=length, seed=0)
    assert samples.shape == (length,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()


def test_memory_grows_with_the_sound_alone() -> None:
    peaks = []
    for length in (40_000, 120_000):
        power = np.ones((CONFIG.frame_count(length), CONFIG.n_mels), np.float32)
        gc.collect()
        tracemalloc.start()
        sound_of_mel_power(power, CONFIG, length=length, seed=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 80_000 < 26


def test_repeated_gains_reach_the_mel_power() -> None:
    rng = np.random.default_rng(0)
    filters = np.maximum(0, rng.normal(size=(4, 20))).astype(np.float32)
    filters[:, 0] = 0
    sparse = scipy.sparse.csr_array(filters)
    shares = filter_shares(sparse)
    power = filters @ rng.exponential(size=(20, 6)).astype(np.float32)
    power *= np.logspace(-12, 0, 6, dtype=np.float32) / power.max()
    start = np.ones((20, 6), np.float32)
    spectrum, product = start.copy(), start.copy()
    for _ in range(10):
        gains = mel_gains(spectrum, power, sparse, shares)
        product *= gains
    assert shares.dtype == gains.dtype == np.float32
    np.testing.assert_allclose(filters @ spectrum, power, rtol=0.05)
    np.testing.assert_allclose(product, spectrum, rtol=1e-4)
    assert np.all(spectrum[0] == 0)
    assert np.all(spectrum >= 0)


def test_gains_are_finite_where_a_spectrum_is_silent() -> None:
    filters = scipy.sparse.csr_array(np.ones((1, 3), np.float32))
    spectrum = np.zeros((3, 2), np.float32)
    gains = mel_gains(spectrum, np.array([[1, 0]], np.float32), filters, filter_shares(filters))
    assert np.isfinite(gains).all()
    assert np.all(gains[:, 1] == 0)
    assert np.all(spectrum == 0)


def test_memory_beyond_the_sound_does_not_grow_with_its_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(griffin_lim, "SEGMENT_SAMPLES", 40_000)
    beyond = []
    for length in (120_000, 240_000):
        power = np.ones((CONFIG.frame_count(length), CONFIG.n_mels), np.float32)
        gc.collect()
        tracemalloc.start()
        samples = sound_of_mel_power(power, CONFIG, length=length, seed=0)
        beyond.append(tracemalloc.get_traced_memory()[1] - samples.nbytes)
        tracemalloc.stop()
    # Four bytes for each of the other samples would be 480 kB.
    assert beyond[1] - beyond[0] < 100_000


def test_seams_between_segments_are_as_right_as_the_rest(
    music: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames that reach across a seam, with and without seams: 5 % is not to be heard."""
    config, segment = FeatureConfig(), 16_384
    log_mel = audio_to_log_mel(music, config)
    across = np.zeros(len(log_mel), bool)
    for seam in range(segment, len(music), segment):
        center = seam // config.hop_length
        across[center - 2 : center + 3] = True
    whole = rms(round_trips(music, config)[:, across])
    monkeypatch.setattr(griffin_lim, "SEGMENT_SAMPLES", segment)
    in_segments = round_trips(music, config)
    assert rms(in_segments[:, across]) < 1.05 * whole
    assert rms(in_segments) < 0.75


@pytest.mark.parametrize("hop_length", [16, 64, 200, 300])
@pytest.mark.parametrize("segment", [1, 500, 1_700])
def test_segments_of_any_length_have_finite_samples(
    hop_length: int, segment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(griffin_lim, "SEGMENT_SAMPLES", segment)
    config = dataclasses.replace(CONFIG, n_fft=256, win_length=256, hop_length=hop_length)
    for length in (0, 1, 1_699, 3_401):
        power = np.ones((config.frame_count(length), config.n_mels), np.float32)
        samples = sound_of_mel_power(power, config, length=length, seed=0)
        assert samples.shape == (length,)
        assert np.isfinite(samples).all()
