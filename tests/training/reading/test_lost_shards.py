"""Shards that are missing, unreadable or cut short, and what a reader says about damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas import DamagedDataError
from schemas.errors import UnreadableFileError
from schemas.storage.local import LocalRanges
from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.reading import (
    FEATURES,
    Name,
    all_rows,
    flipped,
    name_of,
    names,
    payload_bytes,
    rows,
    stored_windows,
    valid_names,
)
from training import open_dataset
from training.reading.loader import MAX_DAMAGED

EXTENSIONS = {"tfrecord": "tfrecord", "hdf5": "h5"}


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> Path:
    return shutil.copytree(root, tmp_path / "copied")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


REMEDIES = {"missing": "; check that the folder is mounted, or make the dataset again"}
LOSSES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "no such file"),
    "a folder": (make_folder, "is a folder"),
    "a pipe": (make_pipe, "is a pipe or a device"),
    "empty": (lambda path: path.write_bytes(b""), "the file was cut short"),
}


def sound_names(root: Path, shard: int) -> list[Name]:
    """The windows that are not in a shard, in the order of the files."""
    windows = [name_of(window) for window in stored_windows(root)]
    first, end = shard * 16 // 3, (shard + 1) * 16 // 3
    return windows[:first] + windows[end:]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
@pytest.mark.parametrize("shard", [0, 2])
def test_a_lost_shard_costs_its_windows(
    root: Path, copied: Path, loss: str, file_format: str, shard: int
) -> None:
    spoil, message = LOSSES[loss]
    path = copied / f"train/{shard:05d}-of-00003.{EXTENSIONS[file_format]}"
    spoil(path)
    options: Any = {"features": FEATURES, "batch_size": 3, "file_format": file_format}
    reader = open_dataset(copied, **options)
    expected = sound_names(root, shard)
    assert valid_names(reader.in_order()) == expected
    assert names([reader[:]]) == expected
    assert sorted(valid_names(reader.epoch(0))) == sorted(expected)
    contiguous = open_dataset(copied, order="contiguous", **options)
    assert sorted(valid_names(contiguous.epoch(0))) == sorted(expected)
    parts = [reader.shard(index, 2).epoch(1) for index in range(2)]
    assert sorted(name for part in parts for name in valid_names(part)) == sorted(expected)
    assert reader.damaged_count == len(reader.damaged) == 16 - len(expected)
    assert all(f"{path}: " in line and message in line for line in reader.damaged)
    position = shard * 16 // 3
    assert reader.get(position) is None
    remedy = REMEDIES.get(loss, "; make the dataset again")
    with pytest.raises(DamagedDataError, match=rf"{message}[^;]*{remedy}$"):
        reader[position]
    with pytest.raises(DamagedDataError, match=rf"{message}[^;]*{remedy}$"):
        reader.__getitems__([position, position + 1])


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_a_shard_that_is_cut_short_costs_what_was_behind(
    root: Path, copied: Path, file_format: str
) -> None:
    payloads = payload_bytes(copied, file_format, FEATURES)
    windows = [name_of(window) for window in stored_windows(root)]
    path = copied / f"train/00001-of-00003.{EXTENSIONS[file_format]}"
    data = path.read_bytes()
    reader = open_dataset(copied, features=FEATURES, batch_size=3, file_format=file_format)
    for length in range(len(data), 0, -371):
        os.truncate(path, length)
        lost = {
            window
            for window, (file, *spans) in zip(windows, payloads, strict=True)
            if file == path and any(first + nbytes > length for first, nbytes in spans)
        }
        expected = [window for window in windows if window not in lost]
        assert names([reader[:]]) == expected
        assert names(reader.in_order()) == expected
    assert len(lost) == 5


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_a_part_that_a_disk_cannot_read_costs_what_lies_on_it(
    tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is read together with others."""
    root = make_dataset(tmp_path, config=ALL_FEATURES, frames=FEW_FRAMES, shards=1)
    sound, bad_byte = LocalRanges.read_into, -1

    def read_into(file: LocalRanges, offset: int, buffers: Sequence[memoryview]) -> int:
        if 0 <= bad_byte - offset < sum(map(len, buffers)):
            raise UnreadableFileError.of("x", "unreadable", "Input/output error")
        return sound(file, offset, buffers)

    monkeypatch.setattr(LocalRanges, "read_into", read_into)
    windows = [name_of(window) for window in stored_windows(root)]
    reader = open_dataset(root, features=FEATURES, file_format=file_format)
    for position, (_, *spans) in enumerate(payload_bytes(root, file_format, FEATURES)):
        for first, nbytes in spans:
            bad_byte = first + nbytes // 2
            assert names([reader[:]]) == windows[:position] + windows[position + 1 :]
    assert all(line.endswith("Input/output error") for line in reader.damaged)
    with pytest.raises(
        DamagedDataError, match=r"error; check the disk, or make the dataset again$"
    ):
        reader[15]


def test_a_shard_without_permission_costs_its_windows(copied: Path) -> None:
    (copied / "train/00001-of-00003.tfrecord").chmod(0)
    script = (
        "import sys; from training import open_dataset; reader = open_dataset(sys.argv[1]); "
        "print(sum(len(b['weights']) for b in reader.epoch(0)), reader.damaged_count); "
        "print(reader.damaged[0])"
    )
    command = [sys.executable, "-c", script, str(copied)]
    if os.geteuid() == 0:
        # The superuser may read everything, unless it gives that up.
        if not shutil.which("setpriv"):
            pytest.skip("the superuser needs setpriv to lose its right to read everything")
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    counts, line = run.stdout.splitlines()
    assert counts == "11 5"
    assert "00001-of-00003.tfrecord: " in line
    assert "no permission to read it" in line


def test_all_damage_is_counted_and_some_described(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = {"train": (70,) * 140, "validation": (), "test": ()}
    make_dataset(tmp_path, frames=frames, shards=20, formats=("tfrecord",))
    for path in sorted((tmp_path / "train").glob("*.tfrecord"))[1:]:
        path.unlink()
    reader = open_dataset(tmp_path, batch_size=9)
    for epoch in range(2):
        assert len(all_rows(reader.epoch(epoch))) == 7
    assert reader.damaged_count == 133
    assert len(reader.damaged) == len(set(reader.damaged)) == MAX_DAMAGED == 100
    assert all("\n" not in line for line in reader.damaged)
    (record,) = caplog.records
    assert record.getMessage() == f"{reader.damaged[0]}; it is left out, as are others like it"


def test_a_description_names_file_feature_and_window(copied: Path) -> None:
    path, (first, nbytes) = payload_bytes(copied, "hdf5", ["onsets"])[9]
    reader = open_dataset(copied, features=("notes", "onsets"), file_format="hdf5")
    with flipped(path, first + 5):
        assert len(rows(reader[:])) == 15
        with pytest.raises(DamagedDataError) as raised:
            reader[9]
    problem = f"the {nbytes} bytes at {first} fail their checksum"
    description = f"{path}: onsets of window 9 of train: {problem}"
    assert str(raised.value) == f"{description}; make the dataset again"
    assert reader.damaged == [description]
