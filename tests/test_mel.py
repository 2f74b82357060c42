import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.mel import MelTransform, decibels
from schemas import PRESETS, FeatureConfig


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
    samples = 0.3 * np.sin(2 * np.pi * 440 * time * (1 + time)) + 1e-3 * rng.normal(size=time.size)
    samples = samples.astype(np.float32)
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=samples,
            sr=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            n_mels=config.n_mels,
            center=False,
        ),
        top_db=None,
    ).T
    found = decibels(MelTransform.from_config(config).mel_power(samples), amin=config.amin)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_silence_is_the_floor() -> None:
    config = FeatureConfig()
    silence = np.zeros(config.n_fft, np.float32)
    levels = decibels(MelTransform.from_config(config).mel_power(silence), amin=config.amin)
    np.testing.assert_allclose(levels, config.floor_db, atol=1e-5)


_DIGESTS = """
import hashlib, numpy as np
from pipelines.mel import MelTransform, decibels
from schemas import FeatureConfig
samples = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
log_mel = decibels(MelTransform.from_config(FeatureConfig()).mel_power(samples), amin=1e-10)
print(hashlib.sha256(log_mel.tobytes()).hexdigest())
with np.errstate(all="ignore"):
    print(hashlib.sha256(np.log(np.abs(samples)).tobytes()).hexdigest())
"""


def numpy_cpu_features() -> dict[str, bool]:
    return np._core._multiarray_umath.__cpu_features__


def test_the_same_bits_whatever_the_cpu_offers() -> None:
    """numpy's own float32 `log`, which does change, shows that the variants are switched."""

    def digests(disabled: str) -> list[str]:
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled}
        run = subprocess.run(
            [sys.executable, "-c", _DIGESTS], env=environment, capture_output=True, check=True
        )
        return run.stdout.decode().split()

    if not numpy_cpu_features()["AVX2"]:
        pytest.skip("this CPU has none of the variants that could differ")
    plain, limited = digests(""), digests("X86_V3 X86_V4")
    assert plain[1] != limited[1]
    assert plain[0] == limited[0]
