"""WAV files: what their headers say, and any range of their samples."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio.header import SAMPLE_BYTES, AudioHeader, rate_fault
from pipelines.audio.mono import read_averaged
from pipelines.audio.riff import BIG_ENDIAN_START, WAV_STARTS, DataChunk, data_chunk
from pipelines.errors import RejectedInputError
from pipelines.text import short_detail
from schemas.errors import system_cause
from schemas.storage.ranges import RangeSource

CONTAINERS = ("WAV", "WAVEX", "RF64")


def read_wav_header(file: BinaryIO, *, where: str) -> AudioHeader:
    """What the header of a file says, which must be at its start.

    Raises `RejectedInputError` where it is not a WAV file, or not a whole one: where its header
    claims more samples than the file holds, or fewer.
    """
    reject = functools.partial(RejectedInputError.of, where)
    chunk = None
    try:
        start = file.read(4)
        if not start:
            raise reject("empty", "holds no bytes; copy it again")
        # libsndfile sees WAV files only: some of its other decoders print to the screen.
        if start not in WAV_STARTS:
            raise reject("not_wav", f"is not a WAV file: it begins with {start!r}; convert it")
        file.seek(0)
        chunk = data_chunk(file)
        if chunk is None:
            raise reject("unreadable", "it has no chunk of samples; write it again")
        file.seek(0)
        # By its descriptor libsndfile reads a file itself, without coming back to Python.
        descriptor = _descriptor(file)
        telling = TellingFile(file)
        with (
            telling.reraising(),
            soundfile.SoundFile(telling if descriptor is None else descriptor) as sound,
        ):
            container, encoding = sound.format, sound.subtype
            if container not in CONTAINERS or encoding not in SAMPLE_BYTES:
                held = f"{container} with {encoding} samples"
                remedy = "not WAV with PCM or float samples; convert it"
                raise reject("format", f"holds {held}, {remedy}")
            wav = AudioHeader(
                samples=sound.frames,
                sample_rate=sound.samplerate,
                channels=sound.channels,
                encoding=encoding,
                big_endian=start == BIG_ENDIAN_START,
                offset=chunk.offset,
            )
            _check_header(wav, chunk, reject)
            sound.seek(0)
            if _position(file, descriptor) != chunk.offset:
                # A damaged header may have two chunks of samples.
                message = "its samples do not lie where its header says; write it again"
                raise reject("unreadable", message)
    except RejectedInputError:
        raise
    except (soundfile.LibsndfileError, ValueError, OSError) as error:
        if chunk and chunk.nbytes > chunk.held:
            raise reject("truncated", _cut_short(chunk)) from None
        detail = short_detail(getattr(error, "error_string", error))
        message = f"its header is damaged or of an unknown kind ({detail}); write it again"
        raise reject("unreadable", message) from None
    return wav


def _cut_short(chunk: DataChunk) -> str:
    return (
        f"its header claims {chunk.nbytes} bytes of samples and the file holds {chunk.held}: it "
        "was cut short, or its recorder never closed it; copy or write it again"
    )


class TellingFile:
    """A file for libsndfile, which takes any error of a file in Python for its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: Exception | None = None

    def read(self, nbytes: int = -1) -> bytes:
        try:
            return self._file.read(nbytes)
        except Exception as error:
            self._error = self._error or error
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    @contextlib.contextmanager
    def reraising(self) -> Iterator[None]:
        """Raises, whatever the block made of it, the first error of the file."""
        try:
            yield
        finally:
            if self._error:
                raise self._error


def _check_header(
    wav: AudioHeader, chunk: DataChunk, reject: Callable[[str, str], RejectedInputError]
) -> None:
    if fault := rate_fault(wav.sample_rate):
        raise reject("sample_rate", fault)
    # libsndfile believes the file where its header claims more, and sometimes where it claims none.
    claimed = chunk.nbytes // wav.frame_bytes
    if claimed > chunk.held // wav.frame_bytes:
        raise reject("truncated", _cut_short(chunk))
    if chunk.unclaimed >= wav.frame_bytes:
        raise reject(
            "header_mismatch",
            f"its header claims {chunk.nbytes} bytes of samples and the file holds {chunk.held} "
            f"behind it, of which {chunk.unclaimed} belong to no chunk: its recorder never closed "
            "it, or something was added; repair its header, or write it again",
        )
    if claimed == 0:
        raise reject("empty", "holds no samples")
    if wav.samples != claimed:
        message = f"two parts of its header claim {claimed} and {wav.samples} samples"
        raise reject("unreadable", f"{message}; write it again")


def _position(file: BinaryIO, descriptor: int | None) -> int:
    """Where libsndfile, which reads either of them, is."""
    return file.tell() if descriptor is None else os.lseek(descriptor, 0, os.SEEK_CUR)


def _descriptor(file: BinaryIO) -> int | None:
    """A descriptor of its own, which libsndfile closes, also where it cannot read the file."""
    try:
        descriptor = os.dup(file.fileno())
    except (OSError, AttributeError):
        return None
    # Python reads ahead, and the position in the file is shared.
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class WavReader:
    """Random access to the samples of a file whose header is known."""

    def __init__(self, file: RangeSource, wav: AudioHeader, *, where: str) -> None:
        self.header = wav
        self._file = file
        self._where = where

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start..stop-1, float32 [stop - start], the average of the channels.

        Raises `RejectedInputError` where the file ends before, or cannot be read there.
        """
        return read_averaged(self._decoded, start, stop, self.header.channels)

    def _decoded(self, start: int, stop: int) -> NDArray[np.float32]:
        wav = self.header
        nbytes = (stop - start) * wav.frame_bytes
        try:
            data = self._file.read(wav.offset + start * wav.frame_bytes, nbytes)
        except OSError as error:
            message = f"cannot be read: {system_cause(error)}"
            raise RejectedInputError.of(self._where, "unreadable", message) from None
        if len(data) < nbytes:
            held = start + len(data) // wav.frame_bytes
            message = f"holds {held} samples, its header says {wav.samples}: it was cut short"
            raise RejectedInputError.of(self._where, "truncated", f"{message}; copy it again")
        return _decode(data, wav)


def _decode(data: bytes, wav: AudioHeader) -> NDArray[np.float32]:
    """Samples as float32 [samples], or [samples, channels] where there are several channels."""
    if wav.encoding == "FLOAT" and wav.channels == 1 and not wav.big_endian:
        return np.frombuffer(data, "<f4")
    return soundfile.read(
        io.BytesIO(data),
        dtype="float32",
        format="RAW",
        subtype=wav.encoding,
        endian="BIG" if wav.big_endian else "LITTLE",
        channels=wav.channels,
        samplerate=wav.sample_rate,
    )[0]
