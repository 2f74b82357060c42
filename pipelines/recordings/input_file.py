"""What a file of the input was."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, NamedTuple

import xxhash


class InputFile(NamedTuple):
    """A row of `tables.INPUTS`. There are several for each of very many recordings.

    The digest is XXH3's of 128 bits (https://xxhash.com), in hexadecimal. It keeps up with reading,
    at several GB/s, and tells files apart that nobody made to be mistaken for each other.
    """

    path: str
    nbytes: int
    xxh3_128: str

    @classmethod
    def of(cls, path: str, data: bytes) -> InputFile:
        """That of a file which holds `data`."""
        return cls(path, len(data), xxhash.xxh3_128_hexdigest(data))

    @classmethod
    def read(cls, path: str, file: BinaryIO) -> InputFile:
        """That of a file, read from its start to its end, a piece at a time."""
        digest = hashlib.file_digest(file, xxhash.xxh3_128)  # type: ignore[arg-type] # Has readinto.
        return cls(path, file.tell(), digest.hexdigest())
