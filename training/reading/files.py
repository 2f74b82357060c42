"""The open shards of a reader and the threads that read them, made anew in every process."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from musicnet_duet.concurrency import Task, TaskThreads
from schemas.errors import StoreError
from schemas.storage import Storage
from schemas.storage.ranges import RangeReader

T = TypeVar("T")


def _most_open_files() -> int:
    """An eighth of what the process may open, since it has other readers and other files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 128 if limit == resource.RLIM_INFINITY else max(1, min(128, limit // 8))


class ShardFiles:
    """Open files of a folder, for some threads; the least recently used ones are closed.

    After a fork, and in a copy, everything is opened again: neither the lock, which another
    process's thread may hold, nor threads nor connections to a store may be shared.
    """

    _storage: Storage | None
    _threads: TaskThreads | None
    _users: Counter[str]

    def __init__(self, storage: Storage, *, threads: int) -> None:
        self._given, self._thread_count = storage, threads
        self._open: OrderedDict[str, RangeReader] = OrderedDict()
        self._begin()
        _OF_PROCESS.add(self)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[RangeReader]:
        """A file that stays open during the block.

        Raises `UnreadableFileError`, or `StoreError`, where it cannot be opened.
        """
        with self._lock:
            file = self._opened(name)
            self._users[name] += 1
        try:
            yield file
        finally:
            with self._lock:
                self._users[name] -= 1

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Has one of the threads make a call."""
        with self._lock:
            if self._threads is None:
                self._threads = TaskThreads(self._thread_count, "read-shards")
            return self._threads.submit(call)

    def close(self) -> None:
        """Ends the threads, and closes the files; they are opened again when they are needed."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()
            threads.join()
        with self._lock:
            self._close_unused(0)

    def __del__(self) -> None:
        self._close_all()

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(ShardFiles, self._given, threads=self._thread_count), ()

    def begin_after_fork(self) -> None:
        """Closes this process's copies of the files, and lets go of its parent's lock."""
        self._close_all()
        self._begin()

    def _close_all(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, name: str) -> RangeReader:
        if name not in self._open:
            self._close_unused(_most_open_files() - 1)
            if self._storage is None:
                self._storage = Storage(self._given.root)
            try:
                self._open[name] = self._storage.open_ranges(name)
            except StoreError:
                if not self._close_unused(0):
                    raise
                # The process may have as many files open as it is allowed to.
                self._open[name] = self._storage.open_ranges(name)
        self._open.move_to_end(name)
        return self._open[name]

    def _close_unused(self, most: int) -> int:
        """Closes files until at most `most` are open, or all are in use; says how many."""
        unused = [name for name in self._open if not self._users[name]]
        closed = unused[: max(0, len(self._open) - most)]
        for name in closed:
            self._open.pop(name).close()
        return len(closed)

    def _begin(self) -> None:
        self._storage = self._given if self._given.is_local else None
        self._users = Counter()
        self._lock = threading.Lock()
        self._threads = None


_OF_PROCESS: weakref.WeakSet[ShardFiles] = weakref.WeakSet()


def _begin_all_after_fork() -> None:
    for files in _OF_PROCESS:
        files.begin_after_fork()


os.register_at_fork(after_in_child=_begin_all_after_fork)
