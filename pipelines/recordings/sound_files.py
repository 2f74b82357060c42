"""Files that libsndfile reads from any sample on, other than WAV: FLAC, AIFF, W64 and CAF."""

from __future__ import annotations

import contextlib
import functools
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.errors import RejectedInputError
from pipelines.recordings.audio_header import SAMPLE_RATES, AudioHeader
from pipelines.recordings.mono import read_averaged
from pipelines.recordings.wav import TellingFile
from pipelines.text import short_detail

_MOST_CHUNKS = 10_000
_UNKNOWN = 2**62
"""More samples than any file holds: libsndfile's answer where a header does not say how many."""


def read_sound_header(file: BinaryIO, container: str, *, where: str) -> AudioHeader:
    """What the header of a file of that format says; the file is at its start.

    Raises `RejectedInputError` where it is damaged, or claims more than the file holds.
    """
    reject = functools.partial(RejectedInputError.of, where)
    claimed = _claimed_bytes(file, container)
    held = file.seek(0, os.SEEK_END)
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
        if header.sample_rate not in SAMPLE_RATES:
            message = f"its header says {header.sample_rate} samples per second, which no recording"
            raise reject("sample_rate", f"{message} has; repair the header")
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
        self._file.seek(0)
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


def _claimed_bytes(file: BinaryIO, container: str) -> int | None:
    """How long a file is by its header; None where that does not say it, or the format has none.

    libsndfile takes what is there for all there should be.
    """
    file.seek(0)
    head = file.read(24)
    if container == "AIFF" and len(head) >= 8:
        return 8 + int(struct.unpack(">I", head[4:8])[0])
    if container == "W64" and len(head) >= 24:
        return int(struct.unpack("<Q", head[16:24])[0])
    if container == "CAF":
        return _caf_bytes(file)
    return None


def _caf_bytes(file: BinaryIO) -> int | None:
    """The end of the chunk of samples. Apple's specification lets the last chunk end anywhere."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        chunk = file.read(12)
        if len(chunk) < 12:
            return None
        name, length = struct.unpack(">4sq", chunk)
        if length < 0:
            return None
        at += 12 + length
        if name == b"data":
            return int(at)
    return None
