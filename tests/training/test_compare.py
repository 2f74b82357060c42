from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.dataset_factory import CONFIG
from training import TrainingError, open_dataset
from training.compare import compare
from training.inversion import mel_to_audio, wav_bytes


def write_wav(path: Path, log_mel: np.ndarray) -> str:
    length = (len(log_mel) - 1) * CONFIG.hop_length
    samples = mel_to_audio(log_mel, CONFIG, length=length, seed=0)
    data, gain = wav_bytes(samples, CONFIG.sample_rate)
    assert gain == 1
    path.write_bytes(data)
    return str(path)


def whole_window(dataset: Path) -> np.ndarray:
    """The levels of the first training window that is not padded."""
    reader = open_dataset(dataset)
    windows = (reader[position] for position in range(len(reader)))
    whole = (window for window in windows if window["valid_frames"] == CONFIG.window_frames)
    return next(whole)["log_mel"]


def test_a_copy_is_found_out(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    audio = write_wav(tmp_path / "copy.wav", whole_window(small_dataset))
    result = compare(str(small_run), str(small_dataset), audio)
    assert result.copy
    assert result.nearest[0] < result.test_nearest[0]


def test_a_soft_copy_is_found_out(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    audio = write_wav(tmp_path / "soft.wav", whole_window(small_dataset) - 12)
    assert compare(str(small_run), str(small_dataset), audio).copy


def test_other_music_is_no_copy(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    window = open_dataset(small_dataset, "validation")[0]["log_mel"]
    result = compare(str(small_run), str(small_dataset), write_wav(tmp_path / "x.wav", window))
    assert not result.copy
    value, low, high = result.summary["level_db"]
    assert result.within_training_range["level_db"] == (low <= value <= high)


def test_silence_is_refused(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    path.write_bytes(wav_bytes(np.zeros(9_000, np.float32), CONFIG.sample_rate)[0])
    with pytest.raises(TrainingError, match=r"silent\.wav: holds no audible second"):
        compare(str(small_run), str(small_dataset), str(path))
