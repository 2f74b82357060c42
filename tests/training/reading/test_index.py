from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas import Dataset, Storage
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
    """Replaces the second shard's index by its first row, some columns of it changed."""
    dataset = Dataset(root)
    shard = dataset.shards("train", "tfrecord")[1]
    index = dataset.index(shard)
    table = index.table.slice(0, 1)
    for name, value in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [[value]])
    Storage(root).write_bytes(index_file(shard), ShardIndex(table, index.report).to_bytes())
    return dataset


def test_missing_windows_are_an_error(root: Path) -> None:
    with pytest.raises(TrainingError, match=r"do not hold the 14 windows that dataset\.json"):
        load_index(change_index(root), "train", "tfrecord", ("log_mel",), threads=2)


def test_another_length_is_an_error(root: Path) -> None:
    dataset = change_index(root, log_mel_length=7)
    with pytest.raises(TrainingError, match="holds 'log_mel' of other lengths than the 2240 bytes"):
        load_index(dataset, "train", "tfrecord", ("log_mel",), threads=2)
