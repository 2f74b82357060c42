import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas import PRESETS, FeatureConfig
from schemas.mel import MelTransform, decibels
from tests.support.reference import check_log_mel, mel_power


@given(
    arrays.arrays(
        np.float32,
        st.integers(0, 50),
        elements=st.floats(0, float(np.float32(1e30)), width=32),
    ),
    st.sampled_from([1e-10, 1e-5, 1e-30]),
)
def test_decibels_are_ten_times_the_decimal_logarithm(power: np.ndarray, amin: float) -> None:
    expected = 10 * np.log10(np.maximum(power.astype(np.float64), np.float32(amin)))
    np.testing.assert_allclose(decibels(power.copy(), amin=amin), expected, rtol=2e-7, atol=1e-5)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_log_mel_is_librosas(preset: str) -> None:
    config = PRESETS[preset]
    rng = np.random.default_rng(1)
    time = np.arange(3 * config.sample_rate) / config.sample_rate
    sweep = 0.3 * np.sin(2 * np.pi * 440 * time * (1 + time)) + 1e-3 * rng.normal(size=time.size)
    samples = sweep.astype(np.float32)
    found = decibels(MelTransform.from_config(config).mel_power(samples), amin=config.amin)
    assert found.dtype == np.float32
    check_log_mel(found, mel_power(samples, config, center=False), config)


def test_silence_is_the_floor() -> None:
    config = FeatureConfig()
    silence = np.zeros(config.n_fft, np.float32)
    levels = decibels(MelTransform.from_config(config).mel_power(silence), amin=config.amin)
    np.testing.assert_allclose(levels, config.floor_db, atol=1e-5)


def test_a_frame_is_the_same_however_many_are_computed_with_it() -> None:
    config = FeatureConfig()
    transform = MelTransform.from_config(config)
    samples = np.random.default_rng(0).normal(size=100 * config.hop_length).astype(np.float32)
    every = transform.mel_power(samples)
    for first, count in ((0, 1), (0, 31), (31, 2), (5, 65), (95, 1)):
        start = first * config.hop_length
        stop = start + (count - 1) * config.hop_length + config.n_fft
        found = transform.mel_power(samples[start:stop])
        np.testing.assert_array_equal(found, every[first : first + count])
