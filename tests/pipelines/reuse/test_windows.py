"""Windows of an earlier dataset are found by recording and frame, or not given at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.errors import PipelineError
from pipelines.reuse.earlier import EarlierDataset
from pipelines.reuse.windows import EarlierWindows
from schemas import DamagedDataError, Dataset
from schemas.tables import RECORDINGS_FILE, table_bytes
from tests.support.damage import damaged_copy
from tests.support.reference import windows_of
from tests.support.runs import made, options


def earlier(root: Path) -> EarlierWindows:
    return EarlierWindows(EarlierDataset(str(root), Dataset(root).manifest.fingerprint))


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_every_window_is_found_by_its_place(
    file_format: str, tiny_root: Path, tmp_path: Path
) -> None:
    made(options(tiny_root, tmp_path / "out", formats=(file_format,)))
    windows, found = earlier(tmp_path / "out"), 0
    for window in windows_of(Dataset(tmp_path / "out"), file_format):
        copy = windows.find(window.recording_id, window.first_frame, window.valid_frames)
        assert copy is not None
        place = (window.recording_id, window.first_frame, window.valid_frames)
        assert (copy.recording_id, copy.first_frame, copy.valid_frames) == place
        for name, array in window.features.items():
            np.testing.assert_array_equal(copy.features[name], array)
        found += 1
    assert found > 20


def test_a_window_that_was_rejected_is_not_found(tiny_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_root, tmp_path / "in")
    path = root / "train_data/101.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    samples[:100] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")
    made(options(root, tmp_path / "out"))
    windows = earlier(tmp_path / "out")
    assert windows.find("101", 0, 48) is None
    assert windows.find("101", 48, 48) is not None
    assert windows.find("101", 48, 47) is None, "its end is another"


@pytest.mark.parametrize(
    ("peak", "found"), [(0.99, (True, True)), (1.0, (True, True)), (1.5, (False, True))]
)
def test_a_window_that_may_be_clipped_is_not_given(
    peak: float, found: tuple[bool, bool], tiny_root: Path, tmp_path: Path
) -> None:
    """Where nothing in the recording was clipped, -1 is a sample like any other."""
    root = shutil.copytree(tiny_root, tmp_path / "in")
    samples = np.zeros(22_050, np.float32)
    samples[500] = -peak
    soundfile.write(root / "train_data/105.wav", samples, 22_050, subtype="FLOAT")
    made(options(root, tmp_path / "out"))
    windows = earlier(tmp_path / "out")
    assert tuple(windows.find("105", first, 48) is not None for first in (0, 48)) == found


@pytest.mark.parametrize("what", ["window", "index", "shard"])
def test_what_is_damaged_is_not_given(what: str, tiny_dataset: Path, tmp_path: Path) -> None:
    dataset, name, row = damaged_copy(
        tiny_dataset, tmp_path / "copy", shard=0, window=0, feature="log_mel"
    )
    windows = earlier(tmp_path / "copy")
    if what == "index":
        (tmp_path / "copy" / f"{name}.index.parquet").write_bytes(b"PAR1")
    if what == "shard":
        (tmp_path / "copy" / name).unlink()
    for each in dataset.index(name).table.to_pylist() if what != "index" else [row]:
        copy = windows.find(each["recording_id"], each["first_frame"], each["valid_frames"])
        assert (copy is None) == (what != "window" or each == row)


def test_another_dataset_is_not_taken_for_the_earlier_one(tiny_dataset: Path) -> None:
    with pytest.raises(PipelineError, match=r"was replaced while .* start the run again"):
        EarlierWindows(EarlierDataset(str(tiny_dataset), "0" * 64))


def test_files_of_another_dataset_in_its_place_are_not_read(
    tiny_root: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    """Labels were corrected, and the dataset made again, after it had been opened."""
    root, old = shutil.copytree(tiny_root, tmp_path / "in"), tmp_path / "old"
    shutil.copytree(tiny_dataset, old)
    windows = earlier(old)
    labels = root / "train_labels/104.csv"
    labels.write_text(labels.read_text().splitlines()[0] + "\n")
    made(options(root, old, overwrite=True))
    for window in windows_of(Dataset(tiny_dataset), "tfrecord"):
        place = (window.recording_id, window.first_frame, window.valid_frames)
        copy = windows.find(*place)
        if copy is not None:
            for name, array in window.features.items():
                np.testing.assert_array_equal(copy.features[name], array)


def test_a_table_of_other_recordings_is_damage(tiny_dataset: Path, tmp_path: Path) -> None:
    old = shutil.copytree(tiny_dataset, tmp_path / "old")
    rows = Dataset(old).recordings().slice(1)
    (old / RECORDINGS_FILE).write_bytes(table_bytes(rows))
    with pytest.raises(DamagedDataError, match=r"differs from its sha256 .* duet verify"):
        earlier(old)


def test_a_dataset_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"can no longer be reused .* leave out reuse"):
        EarlierDataset(str(tmp_path / "gone"), "0" * 64).open()
