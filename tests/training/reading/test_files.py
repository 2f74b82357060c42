"""Open files, of which there are never many, and none once a reader is gone."""

from __future__ import annotations

import gc
from pathlib import Path

import psutil
import pytest

from tests.support.dataset_factory import make_dataset
from training import open_dataset


def open_files() -> int:
    return psutil.Process().num_fds()


@pytest.fixture(scope="module")
def many_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 shards of a window each."""
    frames = {"train": (70,) * 200, "validation": (), "test": ()}
    path = tmp_path_factory.mktemp("shards") / "dataset"
    return make_dataset(path, frames=frames, shards=200, formats=("tfrecord",))


def test_a_reader_that_is_dropped_leaves_no_file_open(root: Path) -> None:
    gc.collect()
    before = open_files()
    for _ in range(5):
        reader = open_dataset(root, batch_size=4)
        next(iter(reader))
        assert reader[0]["valid_frames"]
        del reader
    gc.collect()
    assert open_files() == before


def test_a_reader_that_is_closed_has_no_file_open_and_opens_them_again(root: Path) -> None:
    before = open_files()
    with open_dataset(root, batch_size=4) as reader:
        batches = iter(reader)
        next(batches)
        assert open_files() > before
    assert open_files() == before
    assert len(next(batches)["valid_frames"]) == 4
    reader.close()
    reader.close()
    assert open_files() == before


def test_few_of_many_shards_are_open_at_once(many_shards: Path) -> None:
    before = open_files()
    with open_dataset(many_shards, batch_size=7) as reader:
        for _ in reader.epoch(0):
            assert open_files() - before <= 140
        assert open_files() - before >= 100
        assert len(reader[:]["valid_frames"]) == 200
        assert open_files() - before <= 128
