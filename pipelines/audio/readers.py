"""Audio files of every format that is read: their headers, and any range of their samples."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.decoded import DecodedRecordings, decoded_header
from pipelines.audio.header import EXACT, WAV, AudioHeader, container_of
from pipelines.audio.sound_files import SoundFileReader, read_sound_header
from pipelines.audio.wav import WavReader, read_wav_header
from pipelines.errors import RejectedInputError
from schemas import Storage
from schemas.storage.ranges import RangeFile, RangeReader, RangeSource

_HEADER_BYTES = 1 << 15
"""More than the headers of most WAV files."""

_BUFFER_BYTES = 1 << 16


class SampleReader(Protocol):
    """Random access to the samples of a recording, with its header."""

    @property
    def header(self) -> AudioHeader: ...

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start..stop-1, float32 [stop - start], the average of the channels."""


def read_audio_header(
    storage: Storage, name: str, decoded: DecodedRecordings | None = None
) -> AudioHeader:
    """The header of a recording. One that has to be decoded for it is kept in `decoded`.

    Raises `RejectedInputError` where the file cannot be used.
    """
    with storage.open(name, ahead=_HEADER_BYTES) as file:
        start = file.read(4)
        if not start:
            raise RejectedInputError.of(name, "empty", "holds no bytes; copy it again")
        container = container_of(name, start)
        if container == WAV:
            file.seek(0)
            return read_wav_header(file, where=name)
        if container is None:
            message = f"is of no audio format that is read: it begins with {start!r}"
            raise RejectedInputError.of(name, "format", f"{message}; convert it to FLAC or WAV")
        if container in EXACT:
            return read_sound_header(file, container, where=name)
    if decoded is None:
        return decoded_header(storage, name, container)
    return decoded.keep(storage, name, container)


def range_opener(
    storage: Storage, name: str, header: AudioHeader, decoded: DecodedRecordings
) -> Callable[[], RangeReader]:
    """What opens the file that a recording's samples are read from, for `sample_reader`."""
    if header.container == WAV or _is_sought(storage, header):
        return lambda: storage.open_ranges(name)
    return lambda: decoded.open(storage, name, header.container)


def sample_reader(
    storage: Storage, name: str, header: AudioHeader, ranges: RangeSource
) -> SampleReader:
    """A reader of a recording's samples, from what `range_opener` opens."""
    if header.container == WAV:
        return WavReader(ranges, header, where=name)
    if _is_sought(storage, header):
        size = storage.local_path(name).stat().st_size
        file = io.BufferedReader(RangeFile(ranges, size), _BUFFER_BYTES)
        return SoundFileReader(file, header, where=name)
    mono = AudioHeader(
        samples=header.samples, sample_rate=header.sample_rate, channels=1, encoding="FLOAT"
    )
    return WavReader(ranges, mono, where=name)


def _is_sought(storage: Storage, header: AudioHeader) -> bool:
    """Whether samples are read after a seek: of a store, each step of it would be a request."""
    return header.container in EXACT and storage.is_local
