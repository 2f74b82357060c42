import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import PRESETS, DatasetError, FeatureConfig


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_windows_of_about_ten_seconds(preset: str) -> None:
    config = PRESETS[preset]
    assert 9.9 < config.window_frames / config.frames_per_second < 10.1


def test_the_librosa_preset_is_librosas_default() -> None:
    import librosa

    config = PRESETS["librosa"]
    mel = librosa.feature.melspectrogram(y=np.zeros(config.sample_rate, np.float32))
    assert mel.shape == (config.n_mels, config.frame_count(config.sample_rate))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"hop_length": -1}, "hop_length=-1 must be a positive integer"),
        ({"n_mels": 1.5}, "n_mels=1.5 must be a positive integer"),
        ({"n_fft": 2049}, "n_fft=2049 must be even"),
        ({"win_length": 4096}, "win_length=4096 must not exceed n_fft=2048"),
        ({"fmax": 20_000.0}, "fmax=20000.0"),
        ({"fmin": float("nan")}, "fmin=nan must be a finite number"),
        ({"amin": 0.0}, "amin=0.0 must be a positive float32"),
        ({"stride_frames": 431}, "frames between two windows would be lost"),
        ({"tail": "wrap"}, "tail='wrap' must be 'pad' or 'drop'"),
        ({"dtype": "float64"}, "dtype='float64'"),
        ({"features": ("log_mel", "chroma")}, "must be one or more of log_mel"),
        ({"features": ()}, "must be one or more of log_mel"),
        ({"features": ("notes", "notes")}, "once each"),
        ({"sample_rate": True}, "sample_rate=True must be a positive integer"),
        ({"sample_rate": 10**7}, "sample_rate=10000000 must not exceed 4,194,304"),
        ({"n_fft": 2**30}, "n_fft=1073741824 must not exceed 16,777,216"),
        ({"win_length": 2**30}, "win_length=1073741824 must not exceed 16,777,216"),
        ({"hop_length": 2**62}, "hop_length=4611686018427387904 must not exceed 16,777,216"),
        ({"n_mels": 10**9}, "n_mels=1000000000 must not exceed 65,536"),
        ({"window_frames": 10**5000}, "window_frames=an integer of 16,610 bits must not exceed"),
        ({"stride_frames": 10**9}, "stride_frames=1000000000 must not exceed 16,777,216"),
        ({"fmax": 10**400}, "fmax=an integer of 1,329 bits must be a finite number"),
        ({"fmin": float("-inf")}, "fmin=-inf must be a finite number"),
        ({"fmin": "0"}, "fmin='0' must be a finite number"),
        ({"amin": 1e39}, "amin=1e+39 must be a positive float32"),
        ({"n_mels": 60_000, "n_fft": 2**20}, "n_mels=60000 filters of n_fft=1048576 must not"),
        (
            {"window_frames": 2**20, "hop_length": 2**12, "features": ("notes",)},
            "window_frames=1048576 of hop_length=4096 must not be more than 1,000,000,000 samples",
        ),
        (
            {"window_frames": 2**24, "hop_length": 1, "features": ("notes",)},
            "window_frames=16777216 makes a window of 2,147,483,648 bytes",
        ),
    ],
)
def test_impossible_numbers_are_rejected_with_their_value(
    changed: dict[str, Any], expected: str
) -> None:
    with pytest.raises(DatasetError, match=re.escape(expected)):
        dataclasses.replace(FeatureConfig(), **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"sample_rate": 192_000, "fmax": 96_000.0},
        {"n_fft": 2**17, "win_length": 2**17, "n_mels": 1_024},
        {"hop_length": 1, "window_frames": 2**20, "stride_frames": 1, "features": ("log_mel",)},
        {"window_frames": 200_000, "hop_length": 64},
        {"n_mels": 1, "window_frames": 1, "stride_frames": 1},
        {"amin": 1.0},
    ],
)
def test_unusual_numbers_are_taken(changed: dict[str, Any]) -> None:
    assert dataclasses.replace(FeatureConfig(), **changed).window_bytes > 0


def test_the_ranges_cover_every_number() -> None:
    """Whatever the annotations are, strings or types, and in any order of the fields."""
    for field in dataclasses.fields(FeatureConfig):
        default = getattr(FeatureConfig(), field.name)
        if isinstance(default, int | float):
            for wrong in (None, "1", [1], True, 10**400):
                changed: dict[str, Any] = {field.name: wrong}
                with pytest.raises(DatasetError, match=f"{field.name}="):
                    dataclasses.replace(FeatureConfig(), **changed)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_json_and_back_is_the_same(preset: str) -> None:
    config = PRESETS[preset]
    text = json.dumps(config.to_dict())
    assert FeatureConfig.from_json(text, where="x") == config


def test_equal_configurations_are_written_alike() -> None:
    assert FeatureConfig(fmax=8000).to_dict() == FeatureConfig(fmax=8000.0).to_dict()
    assert json.dumps(FeatureConfig(fmax=8000).to_dict()) == json.dumps(
        FeatureConfig(fmax=8000.0).to_dict()
    )


def test_json_names_the_file_and_the_unknown_field() -> None:
    with pytest.raises(DatasetError, match=r"my\.json: unknown field 'hop'; the fields are"):
        FeatureConfig.from_json('{"hop": 256}', where="my.json")
    with pytest.raises(DatasetError, match=r"my\.json: not JSON"):
        FeatureConfig.from_json("{", where="my.json")
    definition = {**FeatureConfig().to_dict()["definition"], "power": 1.0}
    with pytest.raises(DatasetError, match=r"my\.json: 'definition' differs in power"):
        FeatureConfig.from_json(json.dumps({"definition": definition}), where="my.json")


def test_features_are_kept_in_one_order() -> None:
    assert FeatureConfig(features=("onsets", "log_mel")).features == ("log_mel", "onsets")


@given(
    frames=st.integers(1, 500),
    window=st.integers(1, 60),
    stride=st.integers(1, 60),
    tail=st.sampled_from(["pad", "drop"]),
)
def test_windows_cover_every_frame_or_are_all_full(
    frames: int, window: int, stride: int, tail: str
) -> None:
    stride = min(stride, window)
    config = FeatureConfig(window_frames=window, stride_frames=stride, tail=tail)
    starts = [stride * number for number in range(config.window_count(frames))]
    if tail == "pad":
        covered = {start + i for start in starts for i in range(window)}
        assert covered >= set(range(frames))
        assert starts[-1] < frames
        assert len(starts) == 1 or starts[-2] + window < frames, "the last window was not needed"
    else:
        assert all(start + window <= frames for start in starts)
        assert stride * len(starts) + window > frames, "another window would have fitted"


@given(samples=st.integers(0, 10**7), rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]))
def test_the_frames_span_every_resampled_sample(samples: int, rate: int) -> None:
    config = FeatureConfig()
    length = config.resampled_length(samples, rate)
    assert (length - 1) * rate < samples * config.sample_rate <= length * rate or samples == 0
    assert config.frame_count(length) * config.hop_length > length
