"""The open shards of a reader and the threads that read them, made anew in every process."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from musicnet_duet.concurrency import Task, TaskThreads
from schemas.errors import StoreError
from schemas.storage import Storage
from schemas.storage.ranges import RangeReader

T = TypeVar("T")

_MOST_SECONDS = 1.0
"""How long `close` waits."""


def _most_open_files() -> int:
    """An eighth of what the process may open, since it has other readers and other files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 128 if limit == resource.RLIM_INFINITY else max(1, min(128, limit // 8))


class ShardFiles:
    """Open files of a folder, for some threads; the least recently used ones are let go.

    A file is closed once neither this nor a thread that reads it refers to it. So nothing needs a
    lock: signal handlers, and processes that were forked, might wait for it without end.

    In a forked process, and in a copy, everything is opened again: neither threads nor connections
    to a store may be shared. Files that threads were reading at a fork stay open in the child.
    """

    def __init__(self, storage: Storage, *, threads: int) -> None:
        self._given, self._thread_count = storage, threads
        self.begin()
        _OF_PROCESS.add(self)

    def begin(self) -> None:
        """Lets go of what may be another process's."""
        self._own_storage = self._given if self._given.is_local else None
        self._open: OrderedDict[str, RangeReader] = OrderedDict()
        self._threads: TaskThreads | None = None

    def opened(self, name: str) -> RangeReader:
        """A file that stays open as long as the caller refers to it.

        Raises `UnreadableFileError`, or `StoreError`, where it cannot be opened.
        """
        open_files = self._open
        file = open_files.get(name)
        if file is None:
            self._let_go(_most_open_files() - 1)
            file = self._newly_opened(name)
            if self._threads is None:
                return file  # for a thread that `close` did not wait for
            file = open_files.setdefault(name, file)
        with contextlib.suppress(KeyError):  # Somebody else may have let go of it.
            open_files.move_to_end(name)
        return file

    def forget(self, name: str) -> None:
        """Has a file opened anew when it is needed again."""
        self._open.pop(name, None)

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Has one of the threads make a call."""
        self._storage()  # All threads share the connections that the caller makes here.
        threads = self._threads
        if threads is None:
            threads = self._threads = TaskThreads(self._thread_count, "read-shards")
        return threads.submit(call)

    def close(self) -> None:
        """Ends the threads, and lets go of the files; more follow when they are needed.

        Waits for reads that are under way, but not for long: a signal handler may have interrupted
        what they need to end.
        """
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()
            threads.join(timeout=_MOST_SECONDS)
        self._open = OrderedDict()  # A thread may go on with the one before.

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(ShardFiles, self._given, threads=self._thread_count), ()

    def _storage(self) -> Storage:
        storage = self._own_storage
        if storage is None:
            storage = self._own_storage = Storage(self._given.root)
        return storage

    def _newly_opened(self, name: str) -> RangeReader:
        storage = self._storage()
        try:
            return storage.open_ranges(name)
        except StoreError:
            # The process may have as many files open as it is allowed to.
            self._let_go(0)
            return storage.open_ranges(name)

    def _let_go(self, most: int) -> None:
        """Lets go of files until there are at most `most`."""
        while len(self._open) > most:
            with contextlib.suppress(KeyError):  # Somebody else was faster.
                self._open.popitem(last=False)


_OF_PROCESS: weakref.WeakSet[ShardFiles] = weakref.WeakSet()


def _begin_all_after_fork() -> None:
    for files in _OF_PROCESS:
        files.begin()


os.register_at_fork(after_in_child=_begin_all_after_fork)
