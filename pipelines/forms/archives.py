"""The files of tar and zip archives, without trust in what the archives say."""

from __future__ import annotations

import contextlib
import dataclasses
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from pipelines.errors import PipelineError

MOST_FILES = 100_000
MOST_BYTES = 1 << 38
"""275 GB: twelve times as much as MusicNet."""


@dataclasses.dataclass(frozen=True)
class Member:
    """A file in an archive: its name, its size in bytes, and its content as a stream."""

    name: str
    nbytes: int
    content: BinaryIO


def tar_members(path: str) -> Iterator[Member]:
    """The files of a tar archive, in its order, each to be read before the next one is taken.

    Raises `PipelineError` where the archive is damaged or ends early, and for a file that would lie
    outside of a folder into which the archive is unpacked, or is none.
    """
    with reading(path), tarfile.open(path, "r|*") as archive:
        for info in archive:
            if info.isdir():
                continue
            if not info.isreg():
                raise _refused(path, info.name, "is a link or a device, not a file")
            _check_name(path, info.name)
            content = archive.extractfile(info)
            assert content is not None
            yield Member(str(PurePosixPath(info.name)), info.size, content)  # type: ignore[arg-type]


def zip_members(path: str) -> Iterator[Member]:
    """The files of a zip archive, as `tar_members` gives those of a tar archive."""
    with reading(path), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                raise _refused(path, info.filename, "is encrypted")
            if (info.external_attr >> 28) not in (0, 8):
                raise _refused(path, info.filename, "is a link or a device, not a file")
            _check_name(path, info.filename)
            with archive.open(info) as content:
                yield Member(str(PurePosixPath(info.filename)), info.file_size, content)  # type: ignore[arg-type]


def bounded(members: Iterator[Member], path: str) -> Iterator[Member]:
    """The same; raises `PipelineError` where they are too many, or too large together."""
    count = total = 0
    for member in members:
        count, total = count + 1, total + member.nbytes
        if count > MOST_FILES or total > MOST_BYTES:
            raise PipelineError(
                f"{path}: holds more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes, which no "
                "form of MusicNet does; choose another archive"
            )
        yield member


def _check_name(path: str, name: str) -> None:
    parts = PurePosixPath(name).parts
    outside = name.startswith(("/", "\\")) or ".." in parts or "\\" in name or ":" in name
    if outside or not parts:
        raise _refused(path, name, "would lie outside of the folder")


def _refused(path: str, name: str, cause: str) -> PipelineError:
    return PipelineError(f"{path}: {name!r} {cause}; choose another archive")


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Turns errors of reading an archive into a `PipelineError` that names it."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        cause = str(error) or type(error).__name__
        raise PipelineError(
            f"{path}: is damaged or was cut short ({cause}); download it again"
        ) from None
