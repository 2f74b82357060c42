"""Recordings that were decoded as a whole, kept in a folder of temporary files for a while."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.audio.decoding import decode
from pipelines.audio.header import AudioHeader
from pipelines.errors import PipelineError
from schemas import Storage
from schemas.checksums import sha256
from schemas.storage.ranges import RangeReader

LIMIT_BYTES = 16 << 30
"""Of one run on one machine: 26 hours of one channel at 44,100 Hz."""

_COPY_BYTES = 1 << 20
_ENDING = ".f32"


def decoded_folder(build_root: str) -> Path:
    """The folder of a run's decoded recordings, which all its processes on a machine share."""
    name = sha256(os.fsencode(build_root))[:16]
    return Path(tempfile.gettempdir()) / f"duet-decoded-{os.getuid()}-{name}"


@contextlib.contextmanager
def removing_decoded(build_root: str) -> Iterator[None]:
    """Removes what a run has kept there, at the end of the block."""
    try:
        yield
    finally:
        shutil.rmtree(decoded_folder(build_root), ignore_errors=True)


class DecodedRecordings:
    """Decoded recordings below a folder: those used last, up to `limit_bytes`.

    A file is decoded again where its recording has changed, or others needed its place. Processes
    may share the folder.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes

    def keep(self, storage: Storage, name: str, container: str) -> AudioHeader:
        """Decodes a recording and keeps it; its header. Raises as `decoding.decode`."""
        return self._decode(storage, name, container, self._entry(storage, name))

    def open(self, storage: Storage, name: str, container: str) -> RangeReader:
        """The samples of a recording: float32, the average of its channels; raises as `keep`."""
        entry = self._entry(storage, name)
        while True:
            with contextlib.suppress(FileNotFoundError):
                os.utime(entry)
                # Another process may remove it now.
                return Storage(self._folder).open_ranges(entry.name)
            self._decode(storage, name, container, entry)

    def _entry(self, storage: Storage, name: str) -> Path:
        key = sha256(f"{storage.path(name)}\0{storage.version(name)}".encode(errors="replace"))
        return self._folder / f"{key[:32]}{_ENDING}"

    def _decode(self, storage: Storage, name: str, container: str, entry: Path) -> AudioHeader:
        self._make_folder()
        temporary = self._folder / secrets.token_hex(8)
        try:
            with _local_copy(storage, name, temporary.with_suffix(".copy")) as path:
                header = decode(path, temporary, container, where=name)
            self._make_room(temporary.stat().st_size)
            os.replace(temporary, entry)
        finally:
            temporary.unlink(missing_ok=True)
        return header

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise PipelineError(
                f"{self._folder}: belongs to somebody else; remove it, or name another folder for "
                "temporary files in the environment variable TMPDIR"
            )

    def _make_room(self, nbytes: int) -> None:
        """Removes those used longest ago until there is room for one more."""
        kept = []
        for path in self._folder.glob(f"*{_ENDING}"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                kept.append((status.st_mtime_ns, status.st_size, path))
        total = nbytes + sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self._limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size


def decoded_header(storage: Storage, name: str, container: str) -> AudioHeader:
    """The header of a recording that is decoded for it and not kept; raises as `decode`."""
    with (
        tempfile.TemporaryDirectory(prefix="duet-decoded-") as scratch,
        _local_copy(storage, name, Path(scratch) / "copy") as path,
    ):
        return decode(path, Path(os.devnull), container, where=name)


@contextlib.contextmanager
def _local_copy(storage: Storage, name: str, copy: Path) -> Iterator[Path]:
    """A file that decoders can open: the recording, or a copy of what a store holds."""
    if storage.is_local:
        yield storage.local_path(name)
        return
    try:
        with storage.open(name) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, _COPY_BYTES)
        yield copy
    finally:
        copy.unlink(missing_ok=True)
