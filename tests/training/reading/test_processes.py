"""Readers and their iterators in other processes, in other threads, and as copies."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from schemas.storage.local import LocalRanges
from tests.support.descriptors import open_files
from tests.support.processes import ROOT
from tests.support.reading import FEATURES, assert_batches, flipped, payload_bytes, take
from training import Reader, open_dataset
from training.reading.iterator import BatchIterator
from training.reading.loader import PendingBatch

SECONDS = 60
"""Whoever has no answer by then waits for a lock that nobody releases."""

COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda each: pickle.loads(pickle.dumps(each)),
]


def opened(root: Path, order: str = "shuffled") -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=3, order=order, crop_frames=4)


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("taken", [0, 2])
@pytest.mark.parametrize("order", ["shuffled", "contiguous"])
def test_copies_go_on_by_themselves(
    root: Path, copied: Callable[[Any], Any], taken: int, order: str
) -> None:
    reader = opened(root, order)
    batches = iter(reader)
    take(batches, taken)
    other_reader, other = copied(reader), copied(batches)
    assert other.get_state() == batches.get_state()
    expected = take(batches, 6)
    reader.close()
    assert_batches(take(other, 6), expected)
    assert_batches(take(iter(other_reader), 4), take(iter(reader), 4))
    assert repr(other_reader) == repr(reader)


@pytest.mark.parametrize("copied", COPIES)
def test_copies_of_shards_and_epochs_are_the_same(root: Path, copied: Callable[[Any], Any]) -> None:
    reader = opened(root)
    shard = reader.shard(1, 2)
    assert_batches(take(iter(copied(shard)), 8), take(iter(shard), 8))
    epoch = reader.epoch(4)
    next(epoch)
    assert_batches(list(copied(epoch)), list(epoch))
    ordered = reader.in_order()
    next(ordered)
    assert_batches(list(copied(ordered)), list(ordered))


@pytest.mark.parametrize("copied", [*COPIES, lambda reader: reader.shard(0, 1)])
def test_a_relative_path_stays_what_it_was(
    root: Path, copied: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    reader = opened(Path(root.name))
    batches, expected = iter(reader), take(iter(reader), 8)
    monkeypatch.chdir(tmp_path)
    assert_batches(take(iter(copied(reader)), 8), expected)
    in_fork(take, batches, 8)
    assert repr(copied(reader)).startswith(f"<Reader of {root.name}, train")
    assert_batches(take(batches, 8), expected)
    assert not reader.damaged_count


def deliver(reader: Reader, batches: BatchIterator, found: Any) -> None:
    following = take(batches, 3)
    window = reader[[0]]
    found.put((following, window, batches.get_state(), reader.damaged_count))


@pytest.mark.parametrize("order", ["shuffled", "contiguous"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_another_process_goes_on_where_this_one_is(root: Path, method: str, order: str) -> None:
    """Also from what was used before a fork, whose threads the child does not have."""
    reader = opened(root, order)
    batches = iter(reader)
    take(batches, 2)
    reader[0]
    context: Any = multiprocessing.get_context(method)
    found = context.Queue()
    child = context.Process(target=deliver, args=(reader, batches, found), daemon=True)
    child.start()
    following, window, state, damaged = found.get(timeout=SECONDS)
    child.join(SECONDS)
    assert child.exitcode == 0
    assert_batches(following, take(batches, 3))
    assert state == batches.get_state()
    assert_batches([window], [reader[[0]]])
    assert damaged == 0


def in_fork(target: Callable[..., object], *arguments: object) -> None:
    """Runs a function in a forked process, which must end well."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=target, args=arguments, daemon=True)
    child.start()
    child.join(SECONDS)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


def test_a_thread_may_fork_in_the_middle_of_a_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, sound = opened(root), LocalRanges.read_into
    expected = opened(root)[:3]
    children: list[int] = []

    def read_into(*arguments: Any) -> int:
        if not children:
            children.append(os.fork())
        return sound(*arguments)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(LocalRanges, "read_into", read_into)
    monkeypatch.setattr(threading.Thread, "start", start)  # So it is this thread that forks.
    failure = 1
    try:
        assert_batches([reader[:3], reader[:3]], [expected, expected])
        assert not reader.damaged_count
        failure = 0
    finally:
        if children == [0]:
            os._exit(failure)
    assert os.waitpid(children[0], 0)[1] == 0


@pytest.mark.parametrize("copied", COPIES)
def test_copies_have_files_and_damage_of_their_own(
    root: Path, copied: Callable[[Any], Any]
) -> None:
    reader = opened(root)
    path, (offset, _) = payload_bytes(root, "tfrecord", ["log_mel"])[0]
    with flipped(path, offset + 1):
        reader[:]
    other = copied(reader)
    assert (reader.damaged_count, other.damaged_count) == (1, 0)
    before = open_files()
    other[:]
    assert open_files() > before
    other.close()
    assert open_files() == before


@pytest.mark.parametrize("copied", COPIES[1:])
def test_a_reader_notes_what_an_iterator_meets_that_was_copied_with_it(
    root: Path, copied: Callable[[Any], Any]
) -> None:
    reader = opened(root)
    other, batches = copied((reader, reader.epoch(0)))
    path, (offset, _) = payload_bytes(root, "tfrecord", ["log_mel"])[0]
    with flipped(path, offset + 1):
        list(batches)
    assert (reader.damaged_count, other.damaged_count) == (0, 1)


@pytest.mark.parametrize(
    "use",
    [
        next,
        lambda batches: batches.set_state({"epoch": 1, "position": 3}),
        lambda batches: next(copy.copy(batches)),
    ],
)
def test_a_fork_leaves_alone_what_its_parent_reads_ahead(
    root: Path, use: Callable[[BatchIterator], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may have held the locks of its futures."""
    parent, sound = os.getpid(), PendingBatch.cancel

    def cancel(pending: PendingBatch) -> None:
        assert os.getpid() == parent
        sound(pending)

    monkeypatch.setattr(PendingBatch, "cancel", cancel)
    batches = iter(opened(root))
    next(batches)
    in_fork(use, batches)
    batches.set_state({"epoch": 0, "position": 0})


def test_forks_of_a_busy_process_never_wait(root: Path) -> None:
    reader = opened(root)
    ends = threading.Event()

    def read() -> None:
        batches = iter(reader)
        while not ends.is_set():
            next(batches)

    def use() -> None:
        assert next(batches)["valid_frames"].size == 3
        assert reader[0]["weights"].size == 4

    with ThreadPoolExecutor(2) as threads:
        busy = [threads.submit(read) for _ in range(2)]
        try:
            for _ in range(20):
                batches = iter(reader)
                next(batches)
                in_fork(use)
        finally:
            ends.set()
        assert all(each.result() is None for each in busy)


def test_threads_of_a_fork_may_all_be_the_first(root: Path) -> None:
    reader = opened(root)
    reader[0]
    expected = take(iter(reader), 4)

    def use() -> None:
        start = threading.Barrier(8)

        def read(_: int) -> None:
            start.wait(SECONDS)
            assert_batches(take(iter(reader), 4), expected)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(read, range(8)))

    for _ in range(5):
        in_fork(use)


OUTLIVING = """
import sys, threading
from training import open_dataset

def read():
    threading.main_thread().join()
    print([len(batch["valid_frames"]) for batch in batches])

batches = open_dataset(sys.argv[1], batch_size=6).epoch(0)
next(batches)
threading.Thread(target=read).start()
"""


def test_a_thread_may_outlive_the_main_one(root: Path) -> None:
    run = [sys.executable, "-c", OUTLIVING, str(root)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert (done.stdout, done.stderr) == ("[6, 4]\n", "")


def test_threads_have_iterators_of_their_own(root: Path) -> None:
    reader = opened(root)
    expected = take(iter(reader), 25)
    start = threading.Barrier(6)

    def read(_: int) -> list[dict[str, Any]]:
        start.wait(SECONDS)
        return take(iter(reader), 25)

    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(read, range(6)):
            assert_batches(found, expected)


def test_what_a_reader_and_its_iterators_are_is_readable(root: Path) -> None:
    reader = open_dataset(root, "validation", features=("notes", "onsets"), batch_size=3)
    assert repr(reader) == (
        f"<Reader of {root}, validation: 4 examples of notes and onsets, batches of 3>"
    )
    assert repr(reader.shard(1, 2)).endswith("batches of 3, shard 1 of 2>")
    batches = iter(reader)
    next(batches)
    assert repr(batches) == "<batches without end: epoch 0, 3 of 4 examples done>"
    assert repr(reader.epoch(7)) == "<batches of epoch 7: epoch 7, 0 of 4 examples done>"
