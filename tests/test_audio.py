import io
import wave
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audio import AudioReader, resampled_range, to_int16
from pipelines.errors import PipelineError
from schemas import FeatureConfig

CONFIG = FeatureConfig()
RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)


def noise_file(rate: int, seconds: float = 2.0) -> io.BytesIO:
    rng = np.random.default_rng(rate)
    file = io.BytesIO()
    samples = rng.uniform(-0.9, 0.9, round(seconds * rate)).astype(np.float32)
    soundfile.write(file, samples, rate, subtype="FLOAT", format="WAV")
    file.seek(0)
    return file


@pytest.mark.parametrize("rate", RATES)
def test_a_range_is_the_slice_of_the_whole(rate: int) -> None:
    """Rounding apart: less than a thousandth of an int16 step."""
    file = noise_file(rate)
    whole, _ = librosa.load(file, sr=CONFIG.sample_rate)
    file.seek(0)
    reader = AudioReader(file, where="x")
    padded = np.pad(whole, 3_000)

    @settings(max_examples=60, deadline=None)
    @given(start=st.integers(-3_000, len(whole) + 2_000), length=st.integers(1, 9_000))
    def check(start: int, length: int) -> None:
        stop = min(start + length, len(whole) + 3_000)
        found = resampled_range(reader, start, stop, CONFIG)
        np.testing.assert_allclose(found, padded[start + 3_000 : stop + 3_000], atol=1e-6)

    check()


def test_channels_are_averaged_as_by_librosa() -> None:
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-1, 1, (5_000, 3)).astype(np.float32)
    soundfile.write(file, samples, 22_050, subtype="FLOAT", format="WAV")
    file.seek(0)
    found = AudioReader(file, where="x").read(100, 4_000)
    np.testing.assert_allclose(found, librosa.to_mono(samples.T)[100:4_000], atol=1e-7)


@pytest.mark.parametrize("data", [b"", b"not audio at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_not_audio_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(PipelineError, match=r"x\.wav: not audio that can be read"):
        AudioReader(io.BytesIO(data), where="x.wav")


def test_a_header_says_length_rate_and_channels(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 123))
    with (tmp_path / "a.wav").open("rb") as file:
        header = AudioReader(file, where="a.wav").header
    assert (header.samples, header.sample_rate, header.channels) == (123, 8_000, 2)


def test_int16_rounds_half_to_even_saturates_and_counts() -> None:
    samples = np.array([0.5, 1.5, -2.5, 32_767.4, 32_768, -32_768, -32_769, 1e9]) / 32_768
    stored, clipped = to_int16(samples.astype(np.float32))
    assert stored.tolist() == [0, 2, -2, 32_767, 32_767, -32_768, -32_768, 32_767]
    assert clipped == 3
