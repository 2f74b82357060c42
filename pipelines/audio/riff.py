"""What the header of a WAV file claims, and what the file holds: libsndfile tells only one of them.

RIFF is a sequence of chunks: an id of four bytes, a length of four, and as many bytes, padded to
an even number. RF64 (EBU Tech 3306) gives lengths beyond 4 GiB in a chunk `ds64`. The length of
the whole, which the first chunk gives, is not looked at: programs that append chunks leave it as
it was, and it says nothing about the samples.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from typing import BinaryIO

BIG_ENDIAN_START = b"RIFX"
WAV_STARTS = (b"RIFF", BIG_ENDIAN_START, b"RF64")

_MOST_CHUNKS = 10_000
_IN_DS64 = 2**32 - 1
_ID_BYTES = range(0x20, 0x7F)
"""The printable characters of ASCII: ids consist of them."""


@dataclasses.dataclass(frozen=True)
class DataChunk:
    """Where a file's samples begin, and how many bytes of them there are.

    The header claims `nbytes`, the file holds `held` bytes from `offset` to its end, and the last
    `unclaimed` of these belong neither to the samples claimed nor to a chunk behind them.
    """

    offset: int
    nbytes: int
    held: int
    unclaimed: int


def data_chunk(file: BinaryIO) -> DataChunk | None:
    """The chunk of a file's samples; None where it has none.

    `file` is at its start, which is one of `WAV_STARTS`.
    """
    head = file.read(12)
    length_form = ">I" if head[:4] == BIG_ENDIAN_START else "<I"
    in_ds64 = None
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, (length,) = chunk[:4], struct.unpack(length_form, chunk[4:])
        if name == b"data":
            nbytes = in_ds64 if in_ds64 is not None and length == _IN_DS64 else length
            offset = file.tell()
            end = file.seek(0, os.SEEK_END)
            unclaimed = _unclaimed_bytes(file, offset + nbytes, end, length_form)
            return DataChunk(offset, nbytes, end - offset, unclaimed)
        skipped = length + length % 2
        if name == b"ds64":
            sizes = file.read(16)
            if len(sizes) < 16:
                return None
            in_ds64 = struct.unpack("<QQ", sizes)[1]
            skipped -= 16
        file.seek(skipped, os.SEEK_CUR)
    return None


def _unclaimed_bytes(file: BinaryIO, start: int, end: int, length_form: str) -> int:
    """How many bytes before `end` belong to no chunk, where chunks begin at `start`.

    Some programs leave out the byte that pads a chunk of odd length.
    """
    for _ in range(_MOST_CHUNKS):
        following = (_chunk_end(file, at, end, length_form) for at in (start + start % 2, start))
        after = next((at for at in following if at is not None), None)
        if after is None:
            break
        start = after
    return max(0, end - start - start % 2)


def _chunk_end(file: BinaryIO, start: int, end: int, length_form: str) -> int | None:
    """Where the chunk that begins at `start` ends; None where none does that ends within a file."""
    if start + 8 > end:
        return None
    file.seek(start)
    chunk = file.read(8)
    stop = start + 8 + struct.unpack(length_form, chunk[4:])[0]
    return stop if stop <= end and all(byte in _ID_BYTES for byte in chunk[:4]) else None
