"""What the header of a WAV file claims, as far as libsndfile does not tell.

RIFF is a sequence of chunks: an id of four bytes, a length of four, and as many bytes, padded to
an even number. RF64 (EBU Tech 3306) gives lengths beyond 4 GiB in a chunk `ds64`.
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


@dataclasses.dataclass(frozen=True)
class DataChunk:
    """Where a file's samples begin, and how many bytes its header claims for them."""

    offset: int
    nbytes: int


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
            return DataChunk(file.tell(), nbytes)
        skipped = length + length % 2
        if name == b"ds64":
            sizes = file.read(16)
            if len(sizes) < 16:
                return None
            in_ds64 = struct.unpack("<QQ", sizes)[1]
            skipped -= 16
        file.seek(skipped, os.SEEK_CUR)
    return None
