"""A folder in an object store."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from schemas.errors import DatasetError, UnreadableFileError
from schemas.storage.local import NewFile
from schemas.storage.object_stores import asking, exists, open_store, read_range, require_bucket
from schemas.storage.ranges import RangeFile, RangeReader, joined


class RemoteFolder:
    """The folder `path` of an fsspec file system; messages call it `root`.

    Implements `base.Folder`.
    """

    def __init__(self, root: str, filesystem: Any, path: str) -> None:
        self._root, self._filesystem = root, filesystem
        self._path = path.rstrip("/") or "/"

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the store itself: connections and retries are not pickled.
        return _reopened, (self._root,)

    def exists(self, name: str) -> bool:
        with self._asking(name):
            return exists(self._filesystem, self._full(name))

    def require_store(self) -> None:
        require_bucket(self._filesystem, self._path, self._root)

    def version(self, name: str) -> str:
        with self._asking(name):
            return _version(self._filesystem.info(self._full(name)))

    def versions(self, names: Sequence[str]) -> list[str]:
        found: dict[str, str] = {}
        for folder in sorted({name.rpartition("/")[0] for name in names}):
            with self._asking(folder):
                listed = self._filesystem.ls(self._full(folder), detail=True)
            versions = {entry["name"].rpartition("/")[2]: _version(entry) for entry in listed}
            found |= {joined(folder, name): version for name, version in versions.items()}
        # Asked for by itself, a file that is missing says so.
        return [found.get(name) or self.version(name) for name in names]

    def list_files(self) -> list[str]:
        if not self.exists(""):
            return []
        with self._asking(""):
            paths = self._filesystem.find(self._path)
        return sorted(os.path.relpath(path, self._path) for path in paths)

    def list_folder(self, folder: str) -> tuple[list[str], list[str]]:
        if not self.exists(folder):
            return [], []
        with self._asking(folder):
            entries = self._filesystem.ls(self._full(folder), detail=True)
        files: list[str] = []
        folders: list[str] = []
        for entry in entries:
            name = joined(folder, entry["name"].rstrip("/").rpartition("/")[2])
            (folders if entry["type"] == "directory" else files).append(name)
        return sorted(files), sorted(folders)

    def open(self, name: str, *, ahead: int) -> BinaryIO:
        with self._asking(name):
            size = self._filesystem.info(self._full(name))["size"]
        return io.BufferedReader(RangeFile(self.open_ranges(name), size), ahead)

    def read_bytes(self, name: str) -> bytes:
        with self._asking(name):
            return read_range(self._filesystem, self._full(name), 0, None)

    def open_ranges(self, name: str) -> RangeReader:
        return RemoteRanges(self._filesystem, self._full(name), joined(self._root, name))

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        with self._sending(name):
            file = self._filesystem.open(self._full(name), "wb", autocommit=False)
        try:
            yield _Upload(file, lambda: self._sending(name))  # type: ignore[misc]
            with self._sending(name):
                file.close()
        except BaseException:
            _abandon(file)
            raise
        with self._sending(name):
            file.commit()

    @contextlib.contextmanager
    def create_seekable(self, name: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "file")
            with io.BufferedRandom(NewFile(path, path)) as source:
                yield source
                source.seek(0)
                with self.create(name) as target:
                    shutil.copyfileobj(source, target)

    def remove(self, name: str) -> None:
        with self._asking(name), contextlib.suppress(FileNotFoundError):
            self._filesystem.rm(self._full(name), recursive=True)

    def _full(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    def _asking(self, name: str) -> contextlib.AbstractContextManager[None]:
        return asking(self._filesystem, self._full(name), joined(self._root, name))

    @contextlib.contextmanager
    def _sending(self, name: str) -> Iterator[None]:
        try:
            with self._asking(name):
                yield
        except UnreadableFileError as error:
            where = joined(self._root, name)
            raise DatasetError(f"{where}: cannot be written: {error.cause}") from None


class RemoteRanges:
    """One request per read, for exactly the bytes asked for."""

    def __init__(self, filesystem: Any, path: str, where: str) -> None:
        self._filesystem, self._path, self._where = filesystem, path, where

    def read(self, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""  # A store would be asked for everything.
        with asking(self._filesystem, self._path, self._where):
            return read_range(self._filesystem, self._path, offset, length)

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> int:
        data = memoryview(self.read(offset, sum(map(len, buffers))))
        start = 0
        for buffer in buffers:
            part = data[start : start + len(buffer)]
            buffer[: len(part)] = part
            start += len(part)
        return start

    def close(self) -> None:
        pass


class _Upload(io.RawIOBase):
    """What is sent to a store, in parts."""

    def __init__(
        self, file: Any, sending: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._file, self._sending = file, sending

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._sending():
            written: int = self._file.write(data)
            return written


def _abandon(file: Any) -> None:
    """Ends an upload that failed; whatever goes wrong here, the first failure is to be reported."""
    with contextlib.suppress(Exception):
        file.discard()
    with contextlib.suppress(AttributeError):
        file.closed = True  # s3fs would try to upload an open one as the process ends.


def _reopened(root: str) -> RemoteFolder:
    return RemoteFolder(root, *open_store(root))


def _version(info: Mapping[str, Any]) -> str:
    known = [info.get(key) for key in ("size", "mtime", "etag", "ETag", "generation")]
    return "-".join(str(each) for each in known if each is not None)
