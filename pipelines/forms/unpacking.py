"""Turning a published form of MusicNet into a folder that `preprocess` reads."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from musicnet_duet import progress
from pipelines.audio.float_wav import float_wav_bytes
from pipelines.errors import PipelineError
from pipelines.forms.archives import (
    Member,
    bounded,
    reading,
    tar_members,
    zip_members,
)
from pipelines.forms.legacy import TEST_IDS, LegacyRecording, h5_recordings, npz_recordings
from pipelines.recordings.listing import PACKED_SUFFIXES, TAR_SUFFIXES
from pipelines.recordings.metadata import METADATA_FILE
from schemas import Storage
from schemas.storage import TEMPORARY_PREFIX

_COLUMNS = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")
_COPY_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What was written into the folder `output`; `kept` of `files` were there before."""

    output: str
    files: int
    kept: int
    bytes: int


def unpack(source: str, output: str) -> Unpacked:
    """Writes what a published form of MusicNet holds into a folder, each file when it is whole.

    Archives are unpacked as they are; `musicnet.h5` and `musicnet.npz` become WAV files and tables
    of labels in MusicNet's layout, with the table of metadata if it lies beside them. Files that an
    earlier call has written are kept.

    Args:
        source: A .tar.gz, .zip, .h5 or .npz file.
        output: A local folder, new, empty, or one that was not finished.

    Returns:
        How many files there are, and their bytes.

    Raises:
        PipelineError: If the file is damaged, of another form, or not to be trusted; if `output`
            holds other files; or if it has no space for them.
    """
    if not source.lower().endswith(PACKED_SUFFIXES):
        raise PipelineError(
            f"{source}: is none of {' '.join(PACKED_SUFFIXES)}; choose another file"
        )
    if not os.path.isfile(source):
        raise PipelineError(f"{source}: no such file; check its name")
    storage = Storage(output)
    if not storage.is_local:
        raise PipelineError(f"{output}: is not on this machine; unpack it here, then copy it there")
    mark = _mark(source)
    _require_own(storage, mark)
    lower = source.lower()
    if lower.endswith((".h5", ".npz")):
        read = h5_recordings if lower.endswith(".h5") else npz_recordings
        files = _legacy_files(source, read(source))
    else:
        members = tar_members(source) if lower.endswith(TAR_SUFFIXES) else zip_members(source)
        files = _archived_files(bounded(members, source))
    count = kept = total = 0
    with progress.ProgressDisplay("unpacking", unit="bytes") as shown:
        for name, nbytes, write in files:
            if not count:
                storage.write_bytes(_MARK, mark)
            path = storage.local_path(name)
            if path.is_file() and path.stat().st_size == nbytes:
                kept += 1
            else:
                _require_space(storage, nbytes)
                with reading(source), storage.create(name) as file:
                    write(file)
            count, total = count + 1, total + nbytes
            shown.update(nbytes)
    if not count:
        raise PipelineError(f"{source}: holds no files; choose another one")
    storage.remove(_MARK)
    return Unpacked(output=output, files=count, kept=kept, bytes=total)


_MARK = f"{TEMPORARY_PREFIX}unpacking"

_File = tuple[str, int, Callable[[BinaryIO], None]]
"""A name, a size in bytes, and what writes the content."""


def _mark(source: str) -> bytes:
    """What a folder says of the file that is being unpacked into it."""
    name, nbytes = os.path.basename(source), os.path.getsize(source)
    return f"{name} of {nbytes} bytes is being unpacked into this folder.\n".encode()


def _require_own(storage: Storage, mark: bytes) -> None:
    """Raises `PipelineError` unless the folder is new, empty, or has the same file's mark."""
    files = storage.list_files()
    if files and not (_MARK in files and storage.read_bytes(_MARK) == mark):
        raise PipelineError(
            f"{storage.root}: is not empty, and nothing in it will be replaced; name a new folder"
        )


def _require_space(storage: Storage, nbytes: int) -> None:
    free = shutil.disk_usage(storage.local_path()).free
    if nbytes > free:
        raise PipelineError(
            f"{storage.root}: {nbytes / 1e6:,.0f} MB are needed for the next file and "
            f"{free / 1e6:,.0f} MB are free; free some, and run the same command again"
        )


def _archived_files(members: Iterator[Member]) -> Iterator[_File]:
    for member in members:
        yield (
            member.name,
            member.nbytes,
            functools.partial(_copy, member.content),
        )


def _legacy_files(source: str, recordings: Iterator[LegacyRecording]) -> Iterator[_File]:
    for recording in recordings:
        group = "test" if recording.recording_id in TEST_IDS else "train"
        for name, data in (
            (f"{group}_data/{recording.recording_id}.wav", float_wav_bytes(recording.samples)),
            (f"{group}_labels/{recording.recording_id}.csv", label_bytes(recording.notes)),
        ):
            yield name, len(data), functools.partial(_put, data)
    folder = Path(source).absolute().parent
    for above in (folder, folder.parent, folder.parent.parent):
        if (above / METADATA_FILE).is_file():
            data = (above / METADATA_FILE).read_bytes()
            yield METADATA_FILE, len(data), functools.partial(_put, data)
            return


def _copy(content: BinaryIO, file: BinaryIO) -> None:
    shutil.copyfileobj(content, file, _COPY_BYTES)


def _put(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def label_bytes(notes: Sequence[Any]) -> bytes:
    """A table of labels in MusicNet's form; what else notes have follows in columns of its own."""
    others = sorted({name for note in notes for name in note} - set(_COLUMNS))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, [*_COLUMNS, *others], restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(notes)
    return text.getvalue().encode()
