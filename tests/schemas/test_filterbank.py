import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librosa.filters import get_window
from librosa.filters import mel as librosa_mel
from librosa.util import pad_center

from schemas import PRESETS, FeatureConfig
from schemas.filterbank import (
    hann_window,
    hz_to_mel,
    mel_bins,
    mel_corners,
    mel_filters,
    mel_to_hz,
)
from schemas.mel import MelTransform


@st.composite
def configs(draw: st.DrawFn) -> FeatureConfig:
    sample_rate = draw(st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]))
    n_fft = 2 * draw(st.integers(16, 2_048))
    fmax = draw(st.floats(200, sample_rate / 2))
    return FeatureConfig(
        sample_rate=sample_rate,
        n_fft=n_fft,
        win_length=draw(st.integers(1, n_fft)),
        n_mels=draw(st.integers(1, 256)),
        fmin=draw(st.just(0.0) | st.floats(0, 0.9 * fmax)),
        fmax=fmax,
    )


@pytest.mark.filterwarnings("ignore:Empty filters")
@settings(deadline=None)
@given(st.sampled_from(list(PRESETS.values())) | configs())
def test_window_and_filters_are_librosas_to_the_last_bit(config: FeatureConfig) -> None:
    window = get_window("hann", config.win_length, fftbins=True)
    centered = pad_center(window, size=config.n_fft).astype(np.float32)
    np.testing.assert_array_equal(hann_window(config), centered)
    filters = librosa_mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        dtype=np.float32,
    )
    np.testing.assert_array_equal(mel_filters(config), filters)
    assert mel_filters(config).dtype == hann_window(config).dtype == np.float32


@given(st.lists(st.floats(0, 1e5, allow_subnormal=False), max_size=5))
def test_the_mel_scale_is_librosas(frequencies: list[float]) -> None:
    mels = hz_to_mel(frequencies)
    np.testing.assert_allclose(
        mels, librosa.hz_to_mel(np.array(frequencies)), rtol=1e-12, atol=1e-9
    )
    np.testing.assert_allclose(mel_to_hz(mels), frequencies, rtol=1e-12, atol=1e-9)
    assert mels.shape == (len(frequencies),)
    assert float(hz_to_mel(440.0)) == pytest.approx(6.6)


@settings(deadline=None)
@given(st.sampled_from(list(PRESETS.values())) | configs())
def test_frequencies_lie_on_the_bins_whose_filters_peak_there(config: FeatureConfig) -> None:
    corners = mel_corners(config)
    expected = librosa.mel_frequencies(config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)
    np.testing.assert_allclose(corners, expected, rtol=1e-12)
    peaks = mel_bins(corners[1:-1], config)
    np.testing.assert_allclose(peaks, np.arange(config.n_mels), atol=1e-6)


def test_filters_that_hold_no_frequency_are_told() -> None:
    with pytest.warns(UserWarning, match="of 200 mel bins will hold silence alone"):
        MelTransform.from_config(FeatureConfig(n_fft=512, win_length=512, n_mels=200))
