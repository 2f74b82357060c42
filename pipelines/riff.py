"""What the header of a WAV file claims, as far as libsndfile does not tell.

RIFF is a sequence of chunks: an id of four bytes, a length of four, and as many bytes, padded to
an even number. RF64 (EBU Tech 3306) gives lengths beyond 4 GiB in a chunk `ds64`.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

WAV_STARTS = (b"RIFF", b"RIFX", b"RF64")

_MOST_CHUNKS = 10_000
_IN_DS64 = 2**32 - 1


def declared_data_bytes(file: BinaryIO) -> int | None:
    """The length in bytes that a file claims for its samples; None where it has no data chunk.

    `file` is at its start, which is one of `WAV_STARTS`.
    """
    head = file.read(12)
    length_form = ">I" if head[:4] == b"RIFX" else "<I"
    in_ds64 = None
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, (length,) = chunk[:4], struct.unpack(length_form, chunk[4:])
        if name == b"data":
            return in_ds64 if in_ds64 is not None and length == _IN_DS64 else length
        skipped = length + length % 2
        if name == b"ds64":
            sizes = file.read(16)
            if len(sizes) < 16:
                return None
            in_ds64 = struct.unpack("<QQ", sizes)[1]
            skipped -= 16
        file.seek(skipped, os.SEEK_CUR)
    return None
