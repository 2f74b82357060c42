"""Random access to a file, whatever holds it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, Protocol


class RangeSource(Protocol):
    """Something that returns any bytes of one file."""

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the end of the file."""


class RangeReader(RangeSource, Protocol):
    """Random access to one file."""

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> int:
        """Fills `buffers`, writable and flat views of bytes, in order with the bytes from `offset`.

        Returns the number of bytes read: fewer than the buffers hold only at the end of the file.
        """

    def close(self) -> None: ...


class HeldRanges:
    """Bytes of a file that are in memory already, from `start`; a `RangeSource`."""

    def __init__(self, start: int, data: bytes) -> None:
        self._start, self._data = start, memoryview(data)

    def read(self, offset: int, length: int) -> bytes:
        at = offset - self._start
        return bytes(self._data[at : at + length])


class RangeFile(io.RawIOBase):
    """A file of `size` bytes; a read is a request unless the last one fetched some of its bytes."""

    def __init__(self, ranges: RangeSource, size: int) -> None:
        self._ranges, self._size, self._position = ranges, size, 0
        self._start, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        if not 0 <= self._position - self._start < len(self._held):
            self._start, self._held = self._position, self._ranges.read(self._position, length)
        at = self._position - self._start
        data = self._held[at : at + length]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def unfilled(buffers: Sequence[memoryview], count: int) -> list[memoryview]:
    """What is left of `buffers` once `count` bytes filled them in order; the first is not empty."""
    for index, buffer in enumerate(buffers):
        if count < len(buffer):
            return [buffer[count:], *buffers[index + 1 :]]
        count -= len(buffer)
    return []


def joined(folder: str, name: str) -> str:
    """The path of `name` in `folder`; either may be empty."""
    return f"{folder.rstrip('/')}/{name}" if folder and name else folder or name
