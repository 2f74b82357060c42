"""What a file of the input was."""

from __future__ import annotations

from typing import NamedTuple

from schemas.checksums import sha256


class InputFile(NamedTuple):
    """A row of `tables.INPUTS`. There are several for each of very many recordings."""

    path: str
    nbytes: int
    sha256: str

    @classmethod
    def of(cls, path: str, data: bytes) -> InputFile:
        """That of a file which holds `data`."""
        return cls(path, len(data), sha256(data))
