"""Calls that threads make ahead of whoever needs their results, and how many can run at once."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Task(Generic[Result]):
    """A call that is made once: by a thread, or by whoever needs its result before one has begun.

    Handing a result from thread to thread takes longer than to read a window from the page cache.
    """

    _result: Result

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call: Callable[[], Result] | None = call
        self._error: BaseException | None = None
        self._begun, self._unfinished = threading.Lock(), threading.Lock()
        self._unfinished.acquire()

    @property
    def is_done(self) -> bool:
        return not self._unfinished.locked()

    def run(self) -> None:
        """Makes the call, unless somebody has begun it; its result, or error, is for `result`."""
        if not self._begun.acquire(blocking=False):
            return
        # Queues keep this until a thread looks at it, but not what the call refers to.
        call, self._call = self._call, None
        assert call is not None
        try:
            self._result = call()
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise  # such as Ctrl-C, which is for the thread that it reached
        finally:
            self._unfinished.release()
            del self  # The error refers to this frame.

    def result(self) -> Result:
        """What the call returns. Raises what it raises once, and then, or after `cancel`,
        `CancelledError`."""
        self.run()
        with self._unfinished:
            pass
        if self._error is None:
            return self._result
        error, self._error = self._error, CancelledError()
        try:
            raise error
        finally:
            del error  # It refers to the frames of all callers, and to what these refer to.

    def cancel(self) -> None:
        """Does without the call, unless somebody has begun it."""
        if self._begun.acquire(blocking=False):
            self._call, self._error = None, CancelledError()
            self._unfinished.release()


class TaskThreads:
    """Up to `most` threads, which run tasks in their order; they begin with the first ones.

    A process that ends does not wait for them. Where no thread can be started anymore, tasks wait
    for whoever needs their results.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._tasks: queue.SimpleQueue[Task[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        weakref.finalize(self, _end, self._tasks).atexit = False

    def submit(self, call: Callable[[], Result]) -> Task[Result]:
        task = Task(call)
        if len(self._threads) < self._most:
            self._start()
        if self._threads:
            self._tasks.put(task)
        return task

    def _start(self) -> None:
        """Starts a thread, unless another caller starts the last one at the same time."""
        thread = threading.Thread(
            target=_run_all, args=(self._tasks,), name=self._name, daemon=True
        )
        try:
            self._threads.append(thread)
            if self._threads.index(thread) < self._most:
                thread.start()
        except RuntimeError:  # The system's limit is reached, or the interpreter is ending.
            self._most = 0
        finally:
            if thread.ident is None and thread in self._threads:  # also after an interrupt
                self._threads.remove(thread)

    def run_next(self) -> bool:
        """Has the caller run the next task; False where none is waiting."""
        with contextlib.suppress(queue.Empty):
            if task := self._tasks.get_nowait():
                task.run()
                return True
        return False

    def close(self) -> None:
        """Ends the threads once they have run what they are running; no tasks may follow.

        Tasks that are waiting run where their results are needed.
        """
        _end(self._tasks)

    def join(self, timeout: float) -> None:
        """Waits until the threads have ended, or for some seconds."""
        end = time.monotonic() + timeout
        for thread in self._threads:
            with contextlib.suppress(RuntimeError):  # An interrupt came before it began.
                thread.join(max(0.0, end - time.monotonic()))


def _end(tasks: queue.SimpleQueue[Task[Any] | None]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            tasks.get_nowait()
    tasks.put(None)


def _run_all(tasks: queue.SimpleQueue[Task[Any] | None]) -> None:
    while task := tasks.get():
        task.run()
        del task  # It may refer to much that others have let go of.
    tasks.put(None)  # For the next thread, however many there are.


def prefetch_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """As `map(function, items)`, on `threads` threads; the caller's is one of them.

    At most two results a thread are computed, or being computed, and not taken yet. What
    `function` raises is raised where its result would have been, and ends the rest.
    """
    if threads == 1:
        yield from map(function, items)
        return
    helpers = TaskThreads(threads - 1, "prefetch_map")
    tasks: deque[Task[Result]] = deque()

    def first_result() -> Result:
        # What nobody has begun yet is done here rather than waiting for somebody else.
        while not tasks[0].is_done and helpers.run_next():
            pass
        return tasks.popleft().result()

    try:
        for item in items:
            tasks.append(helpers.submit(functools.partial(function, item)))
            if len(tasks) == 2 * threads:
                yield first_result()
        while tasks:
            yield first_result()
    finally:
        helpers.close()


_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def computed_once(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Remembers the last result, by arguments that can be hashed; threads wait for each other."""
    remembered = functools.lru_cache(maxsize=1)(function)
    lock = threading.Lock()

    @functools.wraps(function)
    def locked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with lock:
            return remembered(*args, **kwargs)  # type: ignore[arg-type] # They are.

    return locked


def available_cores() -> int:
    """The cores that this process may use, by its affinity and its container's share of time."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = map(int, _QUOTA.read_text().split())  # "max" where there is no limit
        cores = min(cores, max(1, quota // period))
    return cores
