"""A split of which no window can be read, at least for a while."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.reading import flipped, names, payload_bytes, take, valid_names
from training import Reader, TrainingError, open_dataset


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> Path:
    return shutil.copytree(root, tmp_path / "copied")


READS: dict[str, tuple[Callable[[Reader], Any], dict[str, Any]]] = {
    "iter": (lambda reader: next(iter(reader)), {}),
    "epoch": (lambda reader: list(reader.epoch(3)), {}),
    "in_order": (lambda reader: list(reader.in_order()), {}),
    "crops": (lambda reader: next(iter(reader)), {"crop_frames": 5, "crops_per_window": 2}),
    "contiguous": (lambda reader: list(reader.epoch(0)), {"order": "contiguous"}),
    "one of one shard": (lambda reader: next(iter(reader.shard(0, 1))), {}),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_nothing_but_damage_is_an_error(copied: Path, read: str, batch_size: int) -> None:
    for path in (copied / "train").glob("*.tfrecord"):
        path.unlink()
    use, options = READS[read]
    reader = open_dataset(copied, batch_size=batch_size, **options)
    for _ in range(2):
        with pytest.raises(
            TrainingError, match=r"train: every window is damaged, the first: .*no such file; make"
        ):
            use(reader)
    assert names([reader[:]]) == []
    assert reader.damaged_count == 16


def test_nothing_but_damage_is_an_error_for_tensorflow_too(copied: Path) -> None:
    for path in (copied / "train").glob("*.tfrecord"):
        path.unlink()
    dataset = open_dataset(copied, batch_size=5).as_tf_dataset()
    with pytest.raises(Exception, match="every window is damaged"):
        list(dataset)


@pytest.mark.parametrize("options", [{}, {"order": "contiguous"}])
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_windows_that_can_be_read_again_are_delivered(
    copied: Path, options: dict[str, Any], batch_size: int
) -> None:
    """As when a file system was away for a while: it was all damaged, and is no longer."""
    reader = open_dataset(copied, batch_size=batch_size, **options)
    batches = iter(reader)
    (copied / "train").rename(copied / "away")
    with pytest.raises(TrainingError, match="every window is damaged"):
        take(batches, 17)
    (copied / "away").rename(copied / "train")
    found = take(batches, 20)
    assert len(valid_names(found)) > 16
    path, (first, _) = payload_bytes(copied, "tfrecord", ["log_mel"])[4]
    with flipped(path, first):
        assert len(valid_names(reader.epoch(0))) == 15
    assert len(valid_names(reader.epoch(0))) == 16
