"""Open files, of which there are never many, and none once a reader is gone."""

from __future__ import annotations

import contextlib
import errno
import gc
import itertools
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import training.reading.files
from schemas.errors import StoreError
from schemas.storage.local import LocalRanges
from tests.support.dataset_factory import make_dataset
from tests.support.descriptors import open_files
from tests.support.processes import ROOT
from tests.support.reading import FEATURES, assert_examples
from training import open_dataset


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
    end = time.monotonic() + 30
    while open_files() > before and time.monotonic() < end:
        time.sleep(0.01)  # A thread ends what it has begun.
    assert open_files() == before


def test_a_reader_that_is_dropped_leaves_no_thread(root: Path) -> None:
    before = set(threading.enumerate())
    reader = open_dataset(root, batch_size=4)
    next(iter(reader))
    threads = set(threading.enumerate()) - before
    assert threads
    del reader
    gc.collect()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


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


@contextlib.contextmanager
def allowed(files: int) -> Iterator[int]:
    """While the block runs, the process may open `files` more than it has; gives its limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    free = (number for number in itertools.count() if number not in taken)
    limit = next(itertools.islice(free, files, None))  # No descriptor reaches the limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield limit
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_where_few_files_may_be_open_few_are(many_shards: Path) -> None:
    with open_dataset(many_shards, batch_size=150) as reader:
        before = open_files()
        with allowed(30) as limit:
            for _ in range(2):
                assert sum(len(batch["valid_frames"]) for batch in reader.epoch(0)) == 200
            assert len(reader[:]["valid_frames"]) == 200
        # Not before: of a high limit, the reader may have taken all that was left.
        assert open_files() - before <= limit // 8


def open_all(files: contextlib.ExitStack) -> None:
    """Opens as many files as the process may open."""
    with contextlib.suppress(OSError):
        while True:
            files.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def test_files_that_lie_idle_make_room(many_shards: Path) -> None:
    """Whoever else opens files may have taken what was left."""
    with open_dataset(many_shards, batch_size=10) as reader, contextlib.ExitStack() as others:
        next(iter(reader))
        with allowed(60):
            open_all(others)
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
                os.open(os.devnull, os.O_RDONLY)
            assert len(reader[::9]["valid_frames"]) == 23
            assert len(list(reader.in_order())) == 20
        assert not reader.damaged_count


def test_a_shard_makes_room_for_the_next_one(
    many_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)  # So one thread reads all shards.
    with open_dataset(many_shards) as reader, contextlib.ExitStack() as others:
        reader[0]
        with allowed(40):
            open_all(others)
            assert len(reader[:9]["valid_frames"]) == 9
        assert not reader.damaged_count


def test_a_file_that_somebody_closed_is_opened_again(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "dataset", shards=1, formats=("tfrecord",))
    reader = open_dataset(root)
    expected = reader[0]
    closed = 0
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if str(root) in os.readlink(f"/proc/self/fd/{descriptor}"):
                os.close(descriptor)
                closed += 1
    assert closed == 1
    with pytest.raises(StoreError, match="ad file descriptor; leave open the files"):
        reader[0]
    assert_examples([reader[0]], [expected])
    assert not reader.damaged_count


@pytest.mark.parametrize("first", [errno.ESTALE, errno.EIO])
def test_an_error_that_is_kept_keeps_no_file_open(
    root: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Parts that are read together are read alone after an error of the file, such as EIO."""
    codes = itertools.cycle([first, errno.ESTALE])

    def read(*_: object) -> int:
        code = next(codes)
        raise OSError(code, os.strerror(code))

    before = open_files()
    kept = []
    with open_dataset(root, features=FEATURES) as reader, monkeypatch.context() as patched:
        patched.setattr(os, "preadv", read)
        for _ in range(5):
            with pytest.raises(StoreError) as error:
                reader[0]
            kept.append(error)
    assert open_files() == before


@pytest.mark.usefixtures("without_gc")
def test_a_read_that_ends_after_a_reader_is_closed_leaves_no_file_open(
    many_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    sound = LocalRanges.read_into

    def read_into(*arguments: Any) -> int:
        begun.set()
        assert may_go_on.wait(30)
        return sound(*arguments)

    monkeypatch.setattr(training.reading.files, "_MOST_SECONDS", 0.01)
    before, threads = open_files(), set(threading.enumerate())
    reader = open_dataset(many_shards, batch_size=50)
    batches = iter(reader)
    monkeypatch.setattr(LocalRanges, "read_into", read_into)
    batches._read_ahead()
    assert begun.wait(30)
    reader.close()
    may_go_on.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(30)
    assert open_files() == before
    assert len(next(batches)["valid_frames"]) == 50


CLOSED_BY_A_HANDLER = """
import random, signal, sys, time
from training import open_dataset

def close(*_):
    global closed
    closed += 1
    reader.close()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.002))

closed, count, end = 0, 0, time.monotonic() + 4
reader = open_dataset(sys.argv[1], batch_size=1)
batches = iter(reader)
signal.signal(signal.SIGALRM, close)
signal.setitimer(signal.ITIMER_REAL, 0.001)
while time.monotonic() < end:
    assert len(next(batches)["valid_frames"]) == 1
    count += 1
# Not only the timer: a handler that was due may have set it again, and would be gone at the exit.
signal.signal(signal.SIGALRM, signal.SIG_IGN)
assert closed > 100 and count > 100, (closed, count)
assert not reader.damaged_count
"""


def test_a_signal_handler_may_close_a_reader(root: Path) -> None:
    run = [sys.executable, "-c", CLOSED_BY_A_HANDLER, str(root)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
