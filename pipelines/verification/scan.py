"""Reading a file of a dataset once: its digest, and which of its windows are whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from schemas import FeatureConfig
from schemas.codecs import CODECS
from schemas.codecs.base import Row
from schemas.statistics import Statistics

_CHUNK_BYTES = 1 << 21


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """What a file holds.

    `nbytes` and `sha256` are the whole file's; `sha256_of_start` is that of the bytes up to the
    length that the file should have. `damaged` says, by row of the index, what is wrong with a
    window; a sound file would end at `end`; `statistics` are those of the windows that are whole.
    """

    nbytes: int
    sha256: str
    sha256_of_start: str
    damaged: Mapping[int, str]
    end: int
    statistics: Statistics


def scan(
    file: BinaryIO,
    nbytes: int,
    file_format: str,
    rows: Sequence[Row],
    config: FeatureConfig,
    progress: Callable[[int], object],
) -> Scan:
    """Reads a file that should have `nbytes` bytes and hold the windows of `rows`.

    `file_format` is empty for a file that is not a shard: nothing but its digest is found.
    `progress` is called with the number of bytes of each read.
    """
    stream = _Stream(file, progress)
    codec = CODECS[file_format] if file_format else None
    damaged: dict[int, str] = {}
    statistics = Statistics.zero(config.n_mels)
    for piece in codec.pieces(stream, rows, config.specs()) if codec else ():
        if piece.problem:
            damaged.setdefault(piece.number, piece.problem)
        elif "log_mel" in piece.features:
            valid = piece.features["log_mel"][: rows[piece.number]["valid_frames"]]
            statistics += Statistics.of(valid)
    end = stream.position if codec and codec.ends_with_windows else nbytes
    stream.read_up_to(nbytes)
    sha256_of_start = stream.sha256
    stream.read_up_to(None)
    return Scan(
        nbytes=stream.position,
        sha256=stream.sha256,
        sha256_of_start=sha256_of_start,
        damaged=damaged,
        end=end,
        statistics=statistics,
    )


class _Stream:
    """A file that is read once, from its start to its end."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], object]) -> None:
        self._file, self._progress = file, progress
        self._digest = hashlib.sha256()
        self.position = 0

    @property
    def sha256(self) -> str:
        """Of all that was read so far."""
        return self._digest.hexdigest()

    def read(self, nbytes: int) -> bytes:
        """The next bytes; fewer only at the end of the file."""
        data = self._file.read(nbytes)
        self._digest.update(data)
        self.position += len(data)
        self._progress(len(data))
        return data

    def read_up_to(self, position: int | None) -> None:
        """Reads on to a position in the file, or to its end; does nothing if it was passed."""
        while position is None or self.position < position:
            left = _CHUNK_BYTES if position is None else position - self.position
            if not self.read(min(_CHUNK_BYTES, left)):
                return
