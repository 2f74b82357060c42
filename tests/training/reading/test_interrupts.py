"""Ctrl-C between any two lines: whoever goes on gets exactly what follows the state."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import musicnet_duet.concurrency
import schemas.storage.local
import training.reading.files
import training.reading.iterator
import training.reading.loader
from tests.support.descriptors import open_files
from tests.support.processes import ROOT
from tests.support.reading import assert_batches, take
from training import open_dataset
from training.reading.iterator import BatchIterator

INTERRUPTED = {
    module.__file__
    for module in (
        musicnet_duet.concurrency,
        schemas.storage.local,
        training.reading.files,
        training.reading.iterator,
        training.reading.loader,
    )
}

NEVER = 10**6


class Interrupts:
    """Raises `KeyboardInterrupt` before a line of this thread, and again while that is handled.

    The second one comes at one of the calls that follow, `further` of them later: Python forgets a
    trace function that raised. `lines` counts lines, and `came` the interrupts.
    """

    def __init__(self, line: int = NEVER, further: int = NEVER) -> None:
        self._line, self._further = line, further
        self.lines = self.came = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in INTERRUPTED:
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._line:
                self.came += 1
                sys.setprofile(self._again)
                raise KeyboardInterrupt
        return self

    def _again(self, frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename in INTERRUPTED and event in ("call", "c_call"):
            self._further -= 1
            if not self._further:
                self.came += 1
                raise KeyboardInterrupt


@contextmanager
def traced(interrupts: Interrupts) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(interrupts)
    try:
        yield
    finally:
        sys.setprofile(None)
        sys.settrace(before)


USES: dict[str, Callable[[BatchIterator], object]] = {
    "next": next,
    "set_state": lambda batches: batches.set_state({"epoch": 1, "position": 3}),
}


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("order", ["shuffled", "contiguous"])
@pytest.mark.parametrize(
    ("use", "further"),
    [("set_state", NEVER), *(("next", further) for further in (NEVER, 1, 2, 3, 5, 8))],
)
def test_an_interrupt_loses_nothing(root: Path, use: str, order: str, further: int) -> None:
    """Another one may come `further` calls after the first, while that is handled."""
    files = open_files()
    reader = open_dataset(root, batch_size=3, order=order, crop_frames=6)
    count = Interrupts()
    with traced(count):
        batches = iter(reader)
        next(batches)
        USES[use](batches)
    sound = {None: take(iter(reader), 1)}
    came = []
    kept = []
    for line in range(1, count.lines):
        batches = iter(reader)
        kept.append(batches)  # Whoever is interrupted while it is deleted cannot say so.
        next(batches)
        interrupts = Interrupts(line, further)
        with suppress(KeyboardInterrupt), traced(interrupts):
            USES[use](batches)
        came.append(interrupts.came)
        state = batches.get_state()
        key: Any = tuple(state.values())
        if key not in sound:
            expected = iter(reader)
            expected.set_state(state)
            sound[key] = take(expected, 3)
        assert_batches(take(batches, 3), sound[key])
    assert came.count(1 if further == NEVER else 2) > 5
    reader.close()
    assert open_files() == files


@pytest.mark.usefixtures("without_gc")
def test_an_interrupt_at_the_beginning_leaves_nothing_that_complains(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an iterator, nor the threads that it has begun, are whole when they are deleted."""
    reader = open_dataset(root, batch_size=3)
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    kept = []

    def begin() -> None:
        kept.append(iter(reader))
        next(kept[-1])

    count = Interrupts()
    with traced(count):
        begin()
    for line in range(1, count.lines):
        reader.close()
        with suppress(KeyboardInterrupt), traced(Interrupts(line)):
            begin()
    assert len(kept) > 50
    kept.clear()
    assert not complaints


INTERRUPTED_BY_A_HANDLER = """
import gc, os, random, resource, signal, sys, time
from training import open_dataset

class Interrupt(KeyboardInterrupt):
    pass

def interrupt(*_):
    global sent
    sent += 1
    raise Interrupt

sent, came, end = 0, 0, time.monotonic() + 4
reader = open_dataset(sys.argv[1], batch_size=1)
reader[0]
reader.close()
before = len(os.listdir("/proc/self/fd"))
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (before + 15, most))  # So one shard at a time is open.
signal.signal(signal.SIGALRM, interrupt)
while time.monotonic() < end:
    sent_before = sent
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.002))
        while sent == sent_before:
            reader[[0, 5, 10, 15]]
    except Interrupt:
        came += 1
reader.close()
gc.collect()  # What was interrupted may refer to itself.
assert came == sent > 300, (came, sent)
assert len(os.listdir("/proc/self/fd")) == before
assert not reader.damaged_count
"""


def test_interrupts_while_shards_make_room_are_not_lost_and_leave_no_file_open(root: Path) -> None:
    run = [sys.executable, "-c", INTERRUPTED_BY_A_HANDLER, str(root)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
