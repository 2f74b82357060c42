"""The open shards of a reader and the threads that read them, made anew in every process."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from schemas.errors import UnreadableFileError
from schemas.storage import Storage
from schemas.storage.ranges import RangeReader

_OPEN_FILES = 128


T = TypeVar("T")


class Task(Generic[T]):
    """A call that a thread makes, or whoever needs the result before a thread has begun.

    Handing a result from thread to thread takes longer than to read a window from the page cache.
    """

    def __init__(self, call: Callable[[], T], pool: Executor) -> None:
        self._call: Callable[[], T] | None = call
        self._future = pool.submit(self._result)

    def result(self) -> T:
        """What the call returns; raises what it raises."""
        return self._result() if self._future.cancel() else self._future.result()

    def cancel(self) -> None:
        """Does without the result."""
        if self._future.cancel():
            self._call = None

    def _result(self) -> T:
        # The pool keeps this until a thread looks at it, but not what the call refers to.
        call, self._call = self._call, None
        assert call is not None
        return call()


class ShardFiles:
    """Open files of a folder, for some threads; the least recently used ones are closed.

    After a fork, and in a copy, everything is opened again: neither the lock, which another
    process's thread may hold, nor threads nor connections to a store may be shared.
    """

    def __init__(self, root: str, *, threads: int) -> None:
        self._root, self._threads = root, threads
        self._pool: ThreadPoolExecutor | None = None
        self._open: OrderedDict[str, RangeReader] = OrderedDict()
        self._begin()

    @contextlib.contextmanager
    def opened(
        self, names: Iterable[str]
    ) -> Iterator[Mapping[str, RangeReader | UnreadableFileError]]:
        """Files that stay open during the block, or why one cannot be opened."""
        used = set(names)
        with self._lock:
            files = {name: self._opened(name) for name in used}
            self._users.update(used)
        try:
            yield files
        finally:
            with self._lock:
                self._users.subtract(used)
                if len(self._open) > _OPEN_FILES:
                    self._close_unused(_OPEN_FILES)

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Has one of the threads make a call."""
        self._begin_after_fork()
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="read-shards")
            return Task(call, self._pool)

    def close(self) -> None:
        """Ends the threads, and closes the files; they are opened again when they are needed."""
        self._begin_after_fork()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        with self._lock:
            self._close_unused(0)

    def __del__(self) -> None:
        self._close_all()

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(ShardFiles, self._root, threads=self._threads), ()

    def _begin_after_fork(self) -> None:
        if self._process != os.getpid():
            self._close_all()
            self._begin()

    def _close_all(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, name: str) -> RangeReader | UnreadableFileError:
        if name not in self._open:
            try:
                self._open[name] = self._storage.open_ranges(name)
            except UnreadableFileError as error:
                return error
        self._open.move_to_end(name)
        return self._open[name]

    def _close_unused(self, most: int) -> None:
        """Closes files until at most `most` are open, or all are in use."""
        for name in [each for each in self._open if not self._users[each]]:
            if len(self._open) <= most:
                return
            self._open.pop(name).close()

    def _begin(self) -> None:
        self._storage = Storage(self._root)
        self._users: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = None
        self._process = os.getpid()
