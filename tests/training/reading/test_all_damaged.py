"""A split of which no window can be read, at least for a while."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.reading import flipped, names, payload_bytes, take, valid_names
from training import Reader, TrainingError, open_dataset
from training.reading.loader import Damage


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
            TrainingError,
            match=r"train: every window is damaged, the first: .*no such file; check that",
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


class SeenTwice(logging.Handler):
    """Has another thread note the same window while it is being logged."""

    def __init__(self, damage: Damage) -> None:
        super().__init__()
        self._damage, self.records = damage, 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1
        other = threading.Thread(target=self._damage.note, args=(0, "first"))
        other.start()
        other.join(10)
        assert not other.is_alive()


def test_threads_that_meet_the_same_damage_count_it_once() -> None:
    damage = Damage(2)
    handler = SeenTwice(damage)
    logger = logging.getLogger(Damage.__module__)
    logger.addHandler(handler)
    try:
        damage.note(0, "first")
        assert (damage.count, damage.descriptions, damage.is_total) == (1, ["first"], False)
        damage.note(1, "second")
        damage.note(1, "second")
    finally:
        logger.removeHandler(handler)
    assert (damage.count, damage.descriptions, damage.is_total) == (2, ["first", "second"], True)
    assert handler.records == 1


def test_threads_that_read_nothing_but_damage_are_all_told(copied: Path) -> None:
    for path in (copied / "train").glob("*.tfrecord"):
        path.unlink()
    reader = open_dataset(copied, batch_size=1)

    def read(_: int) -> str:
        with pytest.raises(TrainingError, match="every window is damaged") as raised:
            next(iter(reader))
        return str(raised.value)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(read, range(40), timeout=60))) == 1
    assert reader.damaged_count == len(reader.damaged) == 16
