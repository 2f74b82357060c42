"""One folder, on a local disk or in any store that fsspec knows, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from schemas.errors import DatasetError
from schemas.storage.local import LocalFolder
from schemas.storage.object_stores import open_store, protocols_of
from schemas.storage.ranges import RangeReader, joined
from schemas.storage.remote import RemoteFolder


class Folder(Protocol):
    """What a kind of storage implements; each method is documented at `Storage`."""

    def exists(self, name: str) -> bool: ...

    def require_store(self) -> None: ...

    def version(self, name: str) -> str: ...

    def versions(self, names: Sequence[str]) -> list[str]: ...

    def list_files(self) -> list[str]: ...

    def list_folder(self, folder: str) -> tuple[list[str], list[str]]: ...

    def open(self, name: str, *, ahead: int) -> BinaryIO: ...

    def read_bytes(self, name: str) -> bytes: ...

    def open_ranges(self, name: str) -> RangeReader: ...

    def create(self, name: str) -> AbstractContextManager[BinaryIO]: ...

    def create_seekable(self, name: str) -> AbstractContextManager[BinaryIO]: ...

    def remove(self, name: str) -> None: ...


class Storage:
    """A folder on a local disk, or in any store that fsspec knows.

    Names of files are relative to the folder, with `/` between their parts. A file that is written
    appears under its name only when it is complete. Every method raises `StoreError` if an object
    store fails; reading something that is missing, or that may not be read, raises
    `UnreadableFileError`, a `DatasetError`.

    Args:
        root: A local folder, which need not exist, or a URL such as gs://BUCKET/FOLDER.

    Attributes:
        root: The folder, as a text.

    Raises:
        DatasetError: If `root` is not a path, or fsspec cannot open a store for the URL.

    Examples:
        >>> from schemas import Storage
        >>> storage = Storage("notebook")
        >>> storage.write_bytes("plots/first.txt", b"a curve")
        >>> storage.list_files(), storage.read_bytes("plots/first.txt")
        (['plots/first.txt'], b'a curve')
        >>> storage.remove("plots")
    """

    def __init__(self, root: str | bytes | os.PathLike[str]) -> None:
        try:
            self.root = os.fsdecode(root)
        except TypeError:
            raise DatasetError(
                f"{root!r} is not a path: give a text, bytes or a path object"
            ) from None
        self._local: LocalFolder | None = None
        self._folder: Folder
        if "://" in self.root:
            filesystem, path = open_store(self.root)
            if "file" not in protocols_of(filesystem):
                self._folder = RemoteFolder(self.root, filesystem, path)
                return
        else:
            # fsspec would interpret parts of some paths, for example the colons of `folder::name`.
            path = os.path.abspath(self.root)
        self._folder = self._local = LocalFolder(self.root, path)

    @property
    def is_local(self) -> bool:
        """Whether the folder is on a local disk, or on one that is mounted like it."""
        return self._local is not None

    def path(self, name: str = "") -> str:
        """The full path of `name`, for messages and for libraries that want one."""
        return joined(self.root, name)

    def local_path(self, name: str = "") -> Path:
        """The path of `name` on a local disk. Raises `DatasetError` for any other storage."""
        if self._local is None:
            raise DatasetError(f"{self.path(name)}: this needs a folder on a local disk")
        return self._local.path(name)

    def exists(self, name: str = "") -> bool:
        """Whether there is a file or a folder of this name."""
        return self._folder.exists(name)

    def require_store(self) -> None:
        """Raises `DatasetError` where the bucket is missing or cannot be listed."""
        self._folder.require_store()

    def version(self, name: str) -> str:
        """A text that changes when the file does: size and time of change, or a store's etag."""
        return self._folder.version(name)

    def versions(self, names: Sequence[str]) -> list[str]:
        """The `version` of each of some files; a store is asked once for each of their folders."""
        return self._folder.versions(names)

    def list_files(self) -> list[str]:
        """The names of all files below the folder, sorted; none where there is no folder."""
        return self._folder.list_files()

    def list_folder(self, folder: str = "") -> tuple[list[str], list[str]]:
        """The names of the files, and of the folders, directly in `folder`, sorted."""
        return self._folder.list_folder(folder)

    def open(self, name: str, *, ahead: int = 4 << 20) -> BinaryIO:
        """Opens a file for sequential and seeking reads.

        From a store, `ahead` bytes are fetched at a time.
        """
        return self._folder.open(name, ahead=ahead)

    def read_bytes(self, name: str) -> bytes:
        """All bytes of a file."""
        return self._folder.read_bytes(name)

    def open_ranges(self, name: str) -> RangeReader:
        """Opens a file for reads of any of its bytes; threads may share it."""
        return self._folder.open_ranges(name)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Writes a file; raises as `create` does."""
        with self.create(name) as file:
            file.write(data)

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Opens a new file; it appears, whole, when the block ends without an exception.

        On a local disk it can also be read and seeked in the block. Raises `DatasetError` with
        the path, the cause and the remedy where it cannot be written.
        """
        return self._folder.create(name)

    def create_seekable(self, name: str) -> AbstractContextManager[BinaryIO]:
        """As `create`, and the file can be read and seeked wherever the folder is."""
        return self._folder.create_seekable(name)

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with everything in it; nothing happens if it is missing."""
        self._folder.remove(name)
