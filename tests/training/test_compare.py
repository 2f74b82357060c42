from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.dataset_factory import CONFIG, make_dataset
from training import TrainingError, open_dataset
from training.compare import compare
from training.inversion import mel_to_audio, wav_bytes
from training.measures.levels import level_db
from training.measures.reference import MIN_WINDOWS
from training.reports import comparison_lines


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
    assert result.copy_rule is not None
    assert result.nearest[0] < result.copy_rule.threshold < result.copy_rule.nearest_music


def test_a_soft_copy_is_found_out(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    audio = write_wav(tmp_path / "soft.wav", whole_window(small_dataset) - 12)
    assert compare(str(small_run), str(small_dataset), audio).copy


def test_a_copy_that_begins_elsewhere_is_found_out(
    small_dataset: Path, small_run: Path, tmp_path: Path
) -> None:
    """Between the samples that frames of the window begin at."""
    audio = Path(write_wav(tmp_path / "copy.wav", whole_window(small_dataset)))
    samples, rate = soundfile.read(audio, dtype="float32")
    audio.write_bytes(wav_bytes(samples[101:], rate)[0])
    assert compare(str(small_run), str(small_dataset), str(audio)).copy


def test_other_music_is_no_copy(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    window = open_dataset(small_dataset, "validation")[0]["log_mel"]
    result = compare(str(small_run), str(small_dataset), write_wav(tmp_path / "x.wav", window))
    assert result.copy is False
    assert result.windows == 1
    assert result.measures["level_db"] == pytest.approx(level_db(window, CONFIG), abs=1.5)


def test_too_little_real_music_leaves_it_unknown_what_is_like_it(
    small_dataset: Path, small_run: Path, tmp_path: Path
) -> None:
    """A dozen windows of eight bins, without notes."""
    window = open_dataset(small_dataset, "validation")[0]["log_mel"]
    result = compare(str(small_run), str(small_dataset), write_wav(tmp_path / "x.wav", window))
    assert 0 < result.real_windows < MIN_WINDOWS
    assert result.unlike is None
    assert result.intervals is None
    assert result.average_precision is None
    assert "polyphony" not in result.measures
    assert "unlike music: unknown" in comparison_lines(result)


@pytest.fixture(scope="module")
def much_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = {"train": (210,) * 16, "validation": (70, 70), "test": (70, 70)}
    return make_dataset(tmp_path_factory.mktemp("much") / "dataset", frames=frames)


def test_windows_of_a_recording_are_judged_beside_real_ones(
    much_music: Path, small_run: Path, tmp_path: Path
) -> None:
    test = open_dataset(much_music, "test")
    audio = write_wav(tmp_path / "x.wav", np.concatenate([test[0]["log_mel"], test[1]["log_mel"]]))
    like = compare(str(small_run), str(much_music), audio)
    assert (like.windows, like.frames, like.real_windows) == (2, CONFIG.window_frames, 50)
    assert like.intervals is not None
    assert like.outside is not None
    assert set(like.outside) == {
        name for name, each in like.intervals.items() if not each.contains(like.measures[name])
    }
    drone = np.tile(test[0]["log_mel"][30], (140, 1))
    unlike = compare(str(small_run), str(much_music), write_wav(tmp_path / "d.wav", drone))
    assert unlike.unlike
    assert unlike.unlike_windows == 2
    assert unlike.outside is not None
    assert "flux_p50_db" in unlike.outside
    assert "unlike music: yes, 2 of 2 windows" in comparison_lines(unlike)


def test_silence_is_refused(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    path.write_bytes(wav_bytes(np.zeros(9_000, np.float32), CONFIG.sample_rate)[0])
    with pytest.raises(TrainingError, match=r"silent\.wav: holds no audible second"):
        compare(str(small_run), str(small_dataset), str(path))
