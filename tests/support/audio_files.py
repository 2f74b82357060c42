"""Audio files that are held in memory."""

from __future__ import annotations

import io

from pipelines.audio.wav import WavReader, read_wav_header


class Ranges:
    """Ranges of bytes, as storage gives them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def close(self) -> None:
        pass


def reader_of(data: bytes) -> WavReader:
    """Raises `RejectedInputError` where the bytes are no whole WAV file."""
    return WavReader(Ranges(data), read_wav_header(io.BytesIO(data), where="x"), where="x")
