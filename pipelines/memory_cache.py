"""What was computed, kept in memory up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Something that knows its size in bytes, as arrays do."""

    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value", bound=Sized)


class MemoryCache(Generic[Value]):
    """Values by key, those that were used last; what exceeds the limit by itself is not kept.

    Threads that need one value at the same time may each compute it.
    """

    def __init__(self, compute: Callable[[str], Value], *, limit_bytes: int) -> None:
        self._compute, self._limit_bytes = compute, limit_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = self._compute(key)
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._nbytes += value.nbytes
            while self._nbytes > self._limit_bytes:
                self._nbytes -= self._values.popitem(last=False)[1].nbytes
        return value
