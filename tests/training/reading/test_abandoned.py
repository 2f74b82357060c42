"""Iterators that are dropped, and batches that fail: nobody reads on for them, or holds memory."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreError
from schemas.storage.local import LocalRanges
from tests.support.reading import FEATURES, assert_batches, failing_store, take
from training import Reader, open_dataset
from training.reading.loader import PendingBatch

SECONDS = 30


class Reads:
    """Counts reads, which wait while they are held up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        sound = LocalRanges.read_into

        def read_into(file: LocalRanges, offset: int, buffers: Sequence[memoryview]) -> int:
            self.count += 1
            assert self.may_go_on.wait(SECONDS)
            return sound(file, offset, buffers)

        monkeypatch.setattr(LocalRanges, "read_into", read_into)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def batches_in_memory(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[PendingBatch]:
    found: weakref.WeakSet[PendingBatch] = weakref.WeakSet()
    sound = PendingBatch.__init__

    def begin(batch: PendingBatch, *arguments: Any) -> None:
        sound(batch, *arguments)
        found.add(batch)

    monkeypatch.setattr(PendingBatch, "__init__", begin)
    return found


def opened(root: Path) -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=4)


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it does so before long."""
    end = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def are_gone(values: weakref.WeakSet[Any]) -> bool:
    """Whether none is left, once threads have ended what they had begun."""
    return comes_true(lambda: not values)


@pytest.mark.usefixtures("without_gc")
def test_nobody_reads_on_for_an_iterator_that_is_dropped(
    root: Path, reads: Reads, batches_in_memory: weakref.WeakSet[PendingBatch]
) -> None:
    reader = opened(root)
    reads.may_go_on.clear()
    dropped = [iter(reader) for _ in range(30)]
    for batches in dropped:
        batches._read_ahead()
    assert len(batches_in_memory) >= 60
    threads = reader._concurrency.reads - 1
    assert comes_true(lambda: reads.count == threads)
    dropped.clear()
    del batches
    reads.may_go_on.set()
    assert are_gone(batches_in_memory)
    assert reads.count == threads
    assert_batches(take(iter(reader), 5), take(iter(opened(root)), 5))


@pytest.mark.usefixtures("without_gc")
def test_what_failed_is_not_held(
    root: Path, batches_in_memory: weakref.WeakSet[PendingBatch]
) -> None:
    reader = opened(root)
    batches = iter(reader)
    with failing_store():
        for _ in range(3):
            with pytest.raises(StoreError):
                next(batches)
            with pytest.raises(StoreError):
                reader[0]
        assert are_gone(batches_in_memory)
    assert_batches(take(batches, 5), take(iter(opened(root)), 5))


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("state", [{"epoch": 0, "position": 4}, {"epoch": 3, "position": 16}])
def test_what_was_read_ahead_of_another_state_is_not_held(
    root: Path,
    reads: Reads,
    batches_in_memory: weakref.WeakSet[PendingBatch],
    state: Mapping[str, int],
) -> None:
    batches = iter(opened(root))
    next(batches)
    assert len(batches_in_memory) >= 2
    reads.may_go_on.clear()
    batches.set_state(state)
    reads.may_go_on.set()
    assert are_gone(batches_in_memory)
