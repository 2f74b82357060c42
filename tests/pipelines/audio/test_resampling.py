import io
import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audio.resampling import resampled_range, to_int16
from pipelines.errors import PipelineError
from schemas import FeatureConfig
from tests.support.audio_files import reader_of

CONFIG = FeatureConfig()
RATES = (1_000, 8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)


def noise_file(rate: int, seconds: float = 2.0) -> io.BytesIO:
    rng = np.random.default_rng(rate)
    file = io.BytesIO()
    samples = rng.uniform(-0.9, 0.9, round(seconds * rate)).astype(np.float32)
    soundfile.write(file, samples, rate, subtype="FLOAT", format="WAV")
    file.seek(0)
    return file


@pytest.mark.parametrize("rate", RATES)
def test_a_range_is_the_slice_of_the_whole(rate: int) -> None:
    """Rounding apart: less than 0.03 of an int16 step."""
    file = noise_file(rate)
    whole, _ = librosa.load(file, sr=CONFIG.sample_rate)
    reader = reader_of(file.getvalue())
    padded = np.pad(whole, 3_000)

    @settings(max_examples=60, deadline=None)
    @given(start=st.integers(-3_000, len(whole) + 2_000), length=st.integers(1, 9_000))
    def check(start: int, length: int) -> None:
        stop = min(start + length, len(whole) + 3_000)
        found = resampled_range(reader, start, stop, CONFIG)
        np.testing.assert_allclose(found, padded[start + 3_000 : stop + 3_000], atol=1e-6)

    check()


def test_importing_leaves_the_environment_alone() -> None:
    code = "import os, pipelines.audio.resampling; print(os.environ['SOXR_USE_SIMD'])"
    environment = {**os.environ, "SOXR_USE_SIMD": "0"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.stdout == b"0\n"


@pytest.mark.parametrize("name", ["SOXR_USE_SIMD", "SOXR_USE_SIMD32", "SOXR_USE_SIMD64"])
def test_a_setting_of_libsoxr_does_not_reach_the_samples(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(noise_file(44_100).getvalue())
    monkeypatch.setenv(name, "0")
    with pytest.raises(PipelineError, match=f"{name} is set, .*; unset it"):
        resampled_range(reader, 0, 100, CONFIG)
    same_rate = reader_of(noise_file(CONFIG.sample_rate).getvalue())
    assert len(resampled_range(same_rate, 0, 100, CONFIG)) == 100


def test_int16_rounds_half_to_even_saturates_and_counts() -> None:
    samples = np.array([0.5, 1.5, -2.5, 32_767.4, 32_768, -32_768, -32_769, 1e9]) / 32_768
    stored, clipped = to_int16(samples.astype(np.float32))
    assert stored.tolist() == [0, 2, -2, 32_767, 32_767, -32_768, -32_768, 32_767]
    assert clipped == 3
