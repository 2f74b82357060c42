"""Random access to a file, on a local disk or in a store."""

from __future__ import annotations

import errno
import io
import os
from typing import Any, Protocol

from schemas.errors import StoreError
from schemas.storage.object_stores import asking, read_range

RUN_AGAIN = "see to it, then run the same command again"
PASSING_ERRORS = (errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of a system or of a shared disk, which say nothing about the file that was to be read."""


class RangeReader(Protocol):
    """Random access to one file."""

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the end of the file."""

    def close(self) -> None: ...


class LocalRanges:
    """Positioned reads on a file descriptor; threads may share one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            if error.errno in PASSING_ERRORS:
                raise StoreError(f"{self._path}: {error.strerror}; {RUN_AGAIN}") from None
            raise

    def close(self) -> None:
        os.close(self._descriptor)


class RemoteRanges:
    """One request a read, of exactly the bytes asked for."""

    def __init__(self, filesystem: Any, path: str, where: str) -> None:
        self._filesystem, self._path, self._where = filesystem, path, where

    def read(self, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""  # A store would be asked for everything.
        with asking(self._filesystem, self._path, self._where):
            return read_range(self._filesystem, self._path, offset, length)

    def close(self) -> None:
        pass


class RangeFile(io.RawIOBase):
    """A file of so many bytes, of which a read is a request, unless the last one had some of it."""

    def __init__(self, ranges: RangeReader, size: int) -> None:
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
