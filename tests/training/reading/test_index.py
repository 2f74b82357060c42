from __future__ import annotations

import dataclasses
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas import DamagedDataError, Dataset, Storage
from schemas.errors import UnreadableFileError
from schemas.manifest import MANIFEST_FILE, FileEntry
from schemas.shards import ShardIndex, index_file
from tests.support.dataset_factory import make_dataset
from training import TrainingError
from training.reading.index import load_index


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_rows_are_those_of_the_shards_in_order(small_dataset: Path, file_format: str) -> None:
    dataset = Dataset(small_dataset)
    index = load_index(dataset, "train", file_format, ("log_mel",), threads=2)
    rows = [
        (shard, row)
        for shard in dataset.shards("train", file_format)
        for row in dataset.index(shard).table.to_pylist()
    ]
    assert len(index) == len(rows)
    for position, (shard, row) in enumerate(rows):
        assert index.shards[index.shard_numbers(np.array([position]))[0]] == shard
        assert index.recording_ids[index.recordings[position]] == row["recording_id"]
        assert index.first_frames[position] == row["first_frame"]
        assert index.valid_frames[position] == row["valid_frames"]
        assert index.offsets["log_mel"][position] == row["log_mel_offset"]
        assert index.checksums["log_mel"][position] == row["log_mel_crc32c"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_dataset(tmp_path, formats=("tfrecord",))


def change_index(root: Path, **columns: object) -> Dataset:
    """Replaces the second shard's index by its first row, some columns of it changed.

    The manifest counts as many windows as before.
    """
    dataset = Dataset(root)
    shard = dataset.shards("train", "tfrecord")[1]
    index = dataset.index(shard)
    table = index.table.slice(0, 1)
    for name, value in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [[value]])
    data = ShardIndex(table, index.report).to_bytes()
    storage, name = Storage(root), index_file(shard)
    storage.write_bytes(name, data)
    files = {**dataset.manifest.files, name: FileEntry.of(data)}
    manifest = dataclasses.replace(dataset.manifest, files=files)
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())
    return Dataset(root)


def test_missing_windows_are_an_error(root: Path) -> None:
    with pytest.raises(TrainingError, match=r"do not hold the 14 windows that dataset\.json"):
        load_index(change_index(root), "train", "tfrecord", ("log_mel",), threads=2)


def test_another_length_is_an_error(root: Path) -> None:
    dataset = change_index(root, log_mel_length=7)
    with pytest.raises(TrainingError, match="holds 'log_mel' of other lengths than the 2240 bytes"):
        load_index(dataset, "train", "tfrecord", ("log_mel",), threads=2)


def index_path(root: Path) -> Path:
    return root / index_file(Dataset(root).shards("train", "tfrecord")[1])


def message_of(root: Path, kind: type[Exception]) -> str:
    with pytest.raises(kind) as raised:
        load_index(Dataset(root), "train", "tfrecord", ("log_mel",), threads=2)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_any_damage_to_an_index_is_found(root: Path) -> None:
    """Also where it is still a table: of other frames, of no numbers, or of no valid text."""
    path = index_path(root)
    sound, rng = path.read_bytes(), random.Random(0)
    damaged = [b"", sound[:-1], sound + b"x"]
    for _ in range(200):
        flipped = bytearray(sound)
        flipped[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert message_of(root, DamagedDataError) == (
                f"{path}: differs from its digest in dataset.json: it was edited or damaged after "
                "it was written; make the dataset again"
            )


UNREADABLE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (
        lambda path: None,
        "no such file; check that the folder is mounted, or make the dataset again",
    ),
    "a folder": (Path.mkdir, "is a folder, not a file; make the dataset again"),
    "a disk's fault": (
        lambda path: path.symlink_to("/proc/self/mem"),
        "input/output error; check the disk, or make the dataset again",
    ),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_to_do_about_an_index_that_cannot_be_read(root: Path, fault: str) -> None:
    make, message = UNREADABLE[fault]
    path = index_path(root)
    path.unlink()
    make(path)
    assert message_of(root, UnreadableFileError) == f"{path}: {message}"
