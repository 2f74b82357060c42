"""Files that libsndfile reads from any sample on, other than WAV: FLAC, AIFF, W64 and CAF."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio.header import AudioHeader, rate_fault
from pipelines.audio.mono import read_averaged
from pipelines.audio.wav import TellingFile
from pipelines.errors import RejectedInputError
from pipelines.text import short_detail

_MOST_CHUNKS = 10_000
_UNKNOWN = 2**62
"""More samples than any file holds: libsndfile's answer where a header does not say how many."""


def read_sound_header(file: BinaryIO, container: str, *, where: str) -> AudioHeader:
    """What the header of a file of that format says; the file is at its start.

    Raises `RejectedInputError` where it is damaged, or claims more than the file holds.
    """
    reject = functools.partial(RejectedInputError.of, where)
    held = file.seek(0, os.SEEK_END)
    claimed = _claimed_bytes(file, container, held)
    if claimed is not None and claimed > held:
        message = f"its header claims {claimed} bytes and the file holds {held}"
        raise reject("truncated", f"{message}: it was cut short; copy it again")
    with _opened(file, where) as sound:
        header = AudioHeader(
            samples=sound.frames,
            sample_rate=sound.samplerate,
            channels=sound.channels,
            encoding=sound.subtype,
            container=container,
        )
        if header.samples == 0:
            raise reject("empty", "holds no samples; export it again")
        if header.samples > _UNKNOWN:
            raise reject("unreadable", "its header does not say how long it is; write it again")
        if fault := rate_fault(header.sample_rate):
            raise reject("sample_rate", fault)
        with _decoding(where):
            sound.seek(header.samples - 1)
            ends = len(sound.read(1)) == 1
    if not ends:
        message = f"its header claims {header.samples} samples and the last one is not there"
        raise reject("truncated", f"{message}: it was cut short; copy it again")
    return header


class SoundFileReader:
    """Random access to the samples of one of these files, whose header is known."""

    def __init__(self, file: BinaryIO, header: AudioHeader, *, where: str) -> None:
        self.header = header
        self._file = file
        self._where = where

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start..stop-1, float32 [stop - start], the average of the channels.

        Raises `RejectedInputError` where they cannot be decoded.
        """
        with _opened(self._file, self._where) as sound, _decoding(self._where):
            sound.seek(start)

            def decoded(first: int, last: int) -> NDArray[np.float32]:
                values = sound.read(last - first, dtype="float32")
                if len(values) < last - first:
                    message = f"its samples end at {first + len(values)}, within what its header"
                    raise RejectedInputError.of(
                        self._where, "truncated", f"{message} claims: it is damaged; copy it again"
                    )
                return values

            return read_averaged(decoded, start, stop, self.header.channels)


@contextlib.contextmanager
def _opened(file: BinaryIO, where: str) -> Iterator[soundfile.SoundFile]:
    file.seek(0)
    telling = TellingFile(file)
    with telling.reraising():
        try:
            sound = soundfile.SoundFile(telling)
        except soundfile.LibsndfileError as error:
            detail = short_detail(error.error_string) or "no reason given"
            message = f"its header is damaged or of an unknown kind ({detail}); write it again"
            raise RejectedInputError.of(where, "unreadable", message) from None
        with sound:
            yield sound


@contextlib.contextmanager
def _decoding(where: str) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        message = f"its samples are damaged, or were cut short (code {error.code}); copy it again"
        raise RejectedInputError.of(where, "unreadable", message) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a format lays out its chunks: a name and a length each, and what they are of.

    The first chunk begins at byte `start`; `head` is the form of a name and a length, which counts
    the head itself if `counts_head`. A chunk begins at a multiple of `multiple` bytes from `start`,
    and that of the samples has a name that begins with `samples`.
    """

    start: int
    head: struct.Struct
    counts_head: bool
    multiple: int
    samples: bytes


_LAYOUTS = {
    "AIFF": _Layout(
        start=12, head=struct.Struct(">4sI"), counts_head=False, multiple=2, samples=b"SSND"
    ),
    "W64": _Layout(
        start=40, head=struct.Struct("<16sq"), counts_head=True, multiple=8, samples=b"data"
    ),
    "CAF": _Layout(
        start=8, head=struct.Struct(">4sq"), counts_head=False, multiple=1, samples=b"data"
    ),
}


def _claimed_bytes(file: BinaryIO, container: str, held: int) -> int | None:
    """Where the chunk of samples of a file of `held` bytes ends, by its header.

    None where the header does not say it, or the format has no chunks. libsndfile takes what is
    there for all there should be.
    """
    layout = _LAYOUTS.get(container)
    if layout is None:
        return None
    at, size = layout.start, layout.head.size
    for _ in range(_MOST_CHUNKS):
        if at + size > held:
            return None
        file.seek(at)
        name, length = layout.head.unpack(file.read(size))
        least = size if layout.counts_head else 0
        if length < least:
            return None
        at += length if layout.counts_head else size + length
        if at > held or name.startswith(layout.samples):
            return int(at)
        at += (layout.start - at) % layout.multiple
    return None
