"""The only place where files are opened: one folder, on a local disk or any store fsspec knows."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import fsspec

from schemas.errors import DatasetError, StoreError, UnreadableFileError
from schemas.storage.object_stores import asking, exists, open_store, require_bucket
from schemas.storage.ranges import (
    PASSING_ERRORS,
    RUN_AGAIN,
    LocalRanges,
    RangeFile,
    RangeReader,
    RemoteRanges,
)

TEMPORARY_PREFIX = ".tmp-"
"""Names of files that a killed process may leave behind; they are never part of a dataset."""

_MAKE_ROOM = "make room, then run the same command again"
_REMEDIES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), then run the same command again",
    errno.EACCES: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
}
"""What to do about an error of the system that made writing fail."""


class Storage:
    """A folder. Names are relative to it, with `/` between their parts.

    A file that is written appears under its name only when it is whole. Reading something that
    is not there, or that may not be read, raises `UnreadableFileError` with the path. An object
    store that fails raises `StoreError`, whatever was to be done.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)
        self._filesystem: Any
        if "://" in self.root:
            self._filesystem, path = open_store(self.root)
        else:
            # fsspec would take a part of some paths for instructions, such as `folder::name`.
            self._filesystem, path = fsspec.filesystem("file"), os.path.abspath(self.root)
        self._path: str = path.rstrip("/") or "/"
        self.is_local: bool = "file" in _protocols(self._filesystem)

    def path(self, name: str = "") -> str:
        """The full path of `name`, for messages and for libraries that want one."""
        return f"{self.root.rstrip('/')}/{name}" if name else self.root

    def local_path(self, name: str = "") -> Path:
        """The path on a local disk. Raises `DatasetError` for any other storage."""
        if not self.is_local:
            raise DatasetError(f"{self.path(name)}: this needs a folder on a local disk")
        return Path(self._full(name))

    def exists(self, name: str = "") -> bool:
        if self.is_local:
            return os.path.exists(self._full(name))
        with self._readable(name):
            return exists(self._filesystem, self._full(name))

    def require_store(self) -> None:
        """Raises `DatasetError` where there is no such bucket, or no way to look into it."""
        if not self.is_local:
            require_bucket(self._filesystem, self._path, self.root)

    def version(self, name: str) -> str:
        """A text that changes when the file does: size and time of change, or a store's etag."""
        with self._readable(name):
            return _version(self._filesystem.info(self._full(name)))

    def versions(self, names: Sequence[str]) -> list[str]:
        """The `version` of each of some files; a store is asked once for each of their folders."""
        if self.is_local:
            return [self.version(name) for name in names]
        found: dict[str, str] = {}
        for folder in sorted({name.rpartition("/")[0] for name in names}):
            full = self._full(folder)
            with self._readable(folder):
                listed = self._filesystem.ls(full, detail=True)
            versions = {entry["name"].rpartition("/")[2]: _version(entry) for entry in listed}
            found |= {f"{folder}/{name}": version for name, version in versions.items()}
        # Asked for by itself, a file that is missing says so.
        return [found.get(name) or self.version(name) for name in names]

    def list_files(self) -> list[str]:
        """The names of all files below the folder, sorted; none where there is no folder."""
        if not self.exists():
            return []
        with self._readable(""):
            found = list(_walk(self._path)) if self.is_local else self._filesystem.find(self._path)
        return sorted(os.path.relpath(path, self._path).replace(os.sep, "/") for path in found)

    def list_folder(self, folder: str = "") -> tuple[list[str], list[str]]:
        """The names of the files, and of the folders, directly in `folder`, sorted."""
        if not self.exists(folder):
            return [], []
        files: list[str] = []
        folders: list[str] = []
        full = self._full(folder)
        with self._readable(folder):
            if self.is_local:
                for name in os.listdir(full):
                    (folders if os.path.isdir(f"{full}/{name}") else files).append(name)
            else:
                for entry in self._filesystem.ls(full, detail=True):
                    name = entry["name"].rstrip("/").rpartition("/")[2]
                    (folders if entry["type"] == "directory" else files).append(name)
        before = f"{folder}/" if folder else ""
        return sorted(before + name for name in files), sorted(before + name for name in folders)

    def open(self, name: str, *, ahead: int = 4 << 20) -> BinaryIO:
        """Opens a file for sequential and seeking reads.

        From a store so many bytes are fetched at a time.
        """
        with self._readable(name):
            if self.is_local:
                self._require_regular(name)
                return self._filesystem.open(self._full(name), "rb")
            size = self._filesystem.info(self._full(name))["size"]
        return io.BufferedReader(RangeFile(self.open_ranges(name), size), ahead)

    def read_bytes(self, name: str) -> bytes:
        with self._readable(name):
            self._require_regular(name)
            return self._filesystem.cat_file(self._full(name))

    def open_ranges(self, name: str) -> RangeReader:
        with self._readable(name):
            if self.is_local:
                return LocalRanges(self._full(name))
            return RemoteRanges(self._filesystem, self._full(name), self.path(name))

    def write_bytes(self, name: str, data: bytes) -> None:
        with self.create(name) as file:
            file.write(data)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Opens a new file; it appears, whole, when the block ends without an exception.

        On a local disk it can also be read and seeked in the block. Raises `DatasetError` with
        the path, the cause and the remedy where it cannot be written.
        """
        full, where = self._full(name), self.path(name)
        if not self.is_local:
            with self._upload(full, where) as file:
                yield file
            return
        folder = os.path.dirname(full)
        temporary = os.path.join(folder, f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
        with writing(where):
            os.makedirs(folder, exist_ok=True)
            raw = _NewFile(temporary, where)
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

    @contextlib.contextmanager
    def create_seekable(self, name: str) -> Iterator[BinaryIO]:
        """As `create`, and the file can be read and seeked wherever the folder is."""
        if self.is_local:
            with self.create(name) as file:
                yield file
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "file")
            with io.BufferedRandom(_NewFile(path, path)) as source:
                yield source
                source.seek(0)
                with self.create(name) as target:
                    shutil.copyfileobj(source, target)

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with everything in it; nothing happens if it is missing."""
        with self._readable(name), contextlib.suppress(FileNotFoundError):
            self._filesystem.rm(self._full(name), recursive=True)

    @contextlib.contextmanager
    def _upload(self, full: str, where: str) -> Iterator[BinaryIO]:
        with self._storing(full, where):
            file = self._filesystem.open(full, "wb", autocommit=False)
        try:
            yield _Upload(file, lambda: self._storing(full, where))  # type: ignore[misc]
            with self._storing(full, where):
                file.close()
        except BaseException:
            with contextlib.suppress(Exception):  # What went wrong before is to be told.
                file.discard()
            raise
        with self._storing(full, where):
            file.commit()

    @contextlib.contextmanager
    def _storing(self, full: str, where: str) -> Iterator[None]:
        try:
            with asking(self._filesystem, full, where):
                yield
        except UnreadableFileError as error:
            raise DatasetError(f"{where}: cannot be written: {error.cause}") from None

    def _full(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        if not self.is_local:
            with asking(self._filesystem, self._full(name), self.path(name)):
                yield
            return
        try:
            yield
        except FileNotFoundError:
            raise UnreadableFileError.of(self.path(name), "missing", "no such file") from None
        except PermissionError as error:
            path = os.fspath(error.filename or self.path(name))
            cause = "no permission to read it"
            raise UnreadableFileError.of(path, "no_permission", cause) from None
        except IsADirectoryError:
            cause = "is a folder, not a file"
            raise UnreadableFileError.of(self.path(name), "is_folder", cause) from None
        except OSError as error:
            cause = error.strerror or str(error)
            if error.errno in PASSING_ERRORS:
                raise StoreError(f"{self.path(name)}: {cause}; {RUN_AGAIN}") from None
            raise UnreadableFileError.of(self.path(name), "unreadable", cause) from None

    def _require_regular(self, name: str) -> None:
        """Opening a pipe would wait for somebody to write to it."""
        if self.is_local:
            mode = os.stat(self._full(name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                cause = "is a pipe or a device, not a file"
                raise UnreadableFileError.of(self.path(name), "not_a_file", cause)


class _NewFile(io.FileIO):
    """A file whose failure to grow names `where`: the place that the user knows it by.

    Only what this file itself raises is told so; the block that fills it may also read others.
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


class _Upload(io.RawIOBase):
    """What is sent to a store, in parts."""

    def __init__(self, file: Any, sending: Callable[[], AbstractContextManager[None]]) -> None:
        self._file, self._sending = file, sending

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._sending():
            return self._file.write(data)


def _version(info: Mapping[str, Any]) -> str:
    known = [info.get(key) for key in ("size", "mtime", "etag", "ETag", "generation")]
    return "-".join(str(each) for each in known if each is not None)


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
def writing(where: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an error of the system into a `DatasetError` that says what to do about `where`."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, RUN_AGAIN)
        raise DatasetError(
            f"{os.fspath(where)}: cannot be written: {cause[0].lower()}{cause[1:]}; {remedy}"
        ) from error


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Makes renames within a local folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
