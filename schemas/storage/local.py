"""A folder on a local disk, or on one that is mounted like it."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from schemas.errors import DatasetError, DuetError, StoreError, UnreadableFileError, system_cause
from schemas.storage.ranges import RangeReader, joined, unfilled

TEMPORARY_PREFIX = ".tmp-"
"""Names of files that a killed process may leave behind; they are never part of a dataset."""

_CHECK_DISK = "check the disk, then run the same command again"
_MAKE_ROOM = "make room, then run the same command again"
_OPEN_MORE = "raise the limit of open files (ulimit -n), then run the same command again"
_REMEDIES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), then run the same command again",
    errno.EACCES: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.EBADF: "leave open the files that this process opened, then run the same command again",
    errno.EMFILE: _OPEN_MORE,
    errno.ENFILE: _OPEN_MORE,
    errno.ENOMEM: "free some memory, then run the same command again",
}
"""What to do about an error of the system; about any other, `_CHECK_DISK`."""

_PASSING_ERRORS = (
    errno.EBADF,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
)
"""Errors of a process, a system or a shared disk, which say nothing about the file itself."""

_MOST_BUFFERS = os.sysconf("SC_IOV_MAX")
"""How many buffers the system fills at a time."""


class LocalFolder:
    """The folder `path`, an absolute path; messages call it `root`. Implements `base.Folder`."""

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._path = path.rstrip("/") or "/"

    def path(self, name: str) -> Path:
        return Path(self._full(name))

    def exists(self, name: str) -> bool:
        return os.path.exists(self._full(name))

    def require_store(self) -> None:
        """A disk needs no bucket."""

    def version(self, name: str) -> str:
        with self._readable(name):
            status = os.stat(self._full(name))
        return f"{status.st_size}-{status.st_mtime}"

    def versions(self, names: Sequence[str]) -> list[str]:
        return [self.version(name) for name in names]

    def list_files(self) -> list[str]:
        if not self.exists(""):
            return []
        with self._readable(""):
            return sorted(os.path.relpath(path, self._path) for path in _walk(self._path))

    def list_folder(self, folder: str) -> tuple[list[str], list[str]]:
        if not self.exists(folder):
            return [], []
        with self._readable(folder):
            names = sorted(joined(folder, name) for name in os.listdir(self._full(folder)))
        folders = [name for name in names if os.path.isdir(self._full(name))]
        return sorted(set(names) - set(folders)), folders

    def open(self, name: str, *, ahead: int) -> BinaryIO:
        with self._readable(name):
            self._require_regular(name)
            return io.BufferedReader(_StoredFile(self._full(name), joined(self._root, name)))

    def read_bytes(self, name: str) -> bytes:
        with self.open(name, ahead=0) as file:
            return file.read()

    def open_ranges(self, name: str) -> RangeReader:
        with self._readable(name):
            self._require_regular(name)
            return LocalRanges(self._full(name), joined(self._root, name))

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        full, where = self._full(name), joined(self._root, name)
        folder = os.path.dirname(full)
        temporary = os.path.join(folder, f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
        with writing(where):
            os.makedirs(folder, exist_ok=True)
            raw = NewFile(temporary, where)
        try:
            with io.BufferedRandom(raw) as file:
                yield file
                file.flush()
                with writing(where):
                    os.fsync(file.fileno())
            with writing(where):
                os.replace(temporary, full)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            raise
        with writing(where):
            sync_folder(folder)

    def create_seekable(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        return self.create(name)

    def remove(self, name: str) -> None:
        full = self._full(name)
        with self._readable(name), contextlib.suppress(FileNotFoundError):
            if os.path.isdir(full):
                shutil.rmtree(full)
            else:
                os.remove(full)

    def _full(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    def _readable(self, name: str) -> contextlib.AbstractContextManager[None]:
        return _reading(joined(self._root, name))

    def _require_regular(self, name: str) -> None:
        """Opening a pipe would wait for somebody to write to it."""
        mode = os.stat(self._full(name)).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            cause = "is a pipe or a device, not a file"
            raise UnreadableFileError.of(joined(self._root, name), "not_a_file", cause)


class _Descriptor(io.FileIO):
    """An open file, which is closed silently once nobody refers to it.

    A `__del__` in Python could be interrupted: the interrupt would be lost, and the file open.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        # Its finalizer calls `close`; that of a file warns that nobody called it before.
        vars(self)["close"] = functools.partial(os.close, self.fileno())


class LocalRanges:
    """Positioned reads of a file; threads may share one. Errors name `where`.

    Whoever lets go of it has closed it.
    """

    def __init__(self, path: str, where: str) -> None:
        self._where = where
        self._file = _Descriptor(path)

    def read(self, offset: int, length: int) -> bytes:
        parts = []
        with _reading(self._where):
            descriptor = self._file.fileno()
            while length > 0 and (part := os.pread(descriptor, length, offset)):
                parts.append(part)
                offset += len(part)
                length -= len(part)
        return b"".join(parts)

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> int:
        rest, start = unfilled(buffers, 0), offset
        end = offset + sum(map(len, rest))
        try:
            descriptor = self._file.fileno()
            while offset < end:
                count = os.preadv(descriptor, rest[:_MOST_BUFFERS], offset)
                offset += count
                if offset == end or not count:
                    break
                rest = unfilled(rest, count)
        except OSError as error:
            raise _reading_error(error, self._where) from None
        return offset - start

    def close(self) -> None:
        io.FileIO.close(self._file)


class _StoredFile(io.FileIO):
    """A file whose reading raises errors that name `where`."""

    def __init__(self, path: str, where: str) -> None:
        super().__init__(path)
        self._where = where

    def readinto(self, buffer: Any) -> int:
        with _reading(self._where):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with _reading(self._where):
            return super().readall()


class NewFile(io.FileIO):
    """A file whose failure to grow names `where`, the path that the user knows it by.

    Only the errors of this file itself do so; the block that fills it may also read others.
    """

    def __init__(self, path: str, where: str) -> None:
        super().__init__(path, "w+")
        self._where = where

    def write(self, data: Any) -> int:
        with writing(self._where):
            return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        with writing(self._where):
            return super().truncate(size)


def _walk(root: str) -> Iterator[str]:
    """All files below a local folder, also behind links to folders, each folder once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (os.path.join(folder, name) for name in files)


def _raise(error: OSError) -> NoReturn:
    raise error


@contextlib.contextmanager
def _reading(where: str) -> Iterator[None]:
    """Turns an error of the system into one that names `where`."""
    try:
        yield
    except OSError as error:
        raise _reading_error(error, where) from None


def _reading_error(error: OSError, where: str) -> DuetError:
    """An `UnreadableFileError`, or a `StoreError` for an error that passes."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError.of(where, "missing", "no such file")
    if isinstance(error, PermissionError):
        path = os.fspath(error.filename or where)
        return UnreadableFileError.of(path, "no_permission", "no permission to read it")
    if isinstance(error, IsADirectoryError):
        return UnreadableFileError.of(where, "is_folder", "is a folder, not a file")
    cause = system_cause(error)
    if error.errno in _PASSING_ERRORS:
        return StoreError(f"{where}: {cause}; {_remedy(error)}")
    return UnreadableFileError.of(where, "unreadable", cause)


@contextlib.contextmanager
def writing(where: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an error of the system into a `DatasetError` that says what to do about `where`."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be written: {system_cause(error)}"
        raise DatasetError(f"{os.fspath(where)}: {problem}; {_remedy(error)}") from error


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0, _CHECK_DISK)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Makes renames within a local folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
