"""Reading a file of a dataset once: its digest, and which of its windows are whole."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig, FeatureSpec, Window
from schemas.checksums import crc32c
from schemas.codecs.tfrecord import record_chunks, record_nbytes
from schemas.shards import as_array
from schemas.statistics import Statistics

_CHUNK_BYTES = 1 << 21

Row = Mapping[str, Any]
"""A row of an index."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scan:
    """What a file holds.

    `nbytes` and `sha256` are the whole file's; `sha256_of_start` is that of the bytes up to the
    length that the file should have. `damaged` says, by row of the index, what is wrong with a
    window; `end` is where the bytes end that rows account for; `statistics` are those of the
    windows that are whole.
    """

    nbytes: int
    sha256: str
    sha256_of_start: str
    damaged: Mapping[int, str]
    end: int
    statistics: Statistics


@dataclasses.dataclass(frozen=True, eq=False)
class _Piece:
    """Some features of the window of row `number`; where they are not whole, `problem` says why."""

    number: int
    features: Mapping[str, NDArray[Any]]
    problem: str | None = None


def scan(
    file: BinaryIO,
    nbytes: int,
    file_format: str,
    rows: Sequence[Row],
    config: FeatureConfig,
    progress: Callable[[int], object],
) -> Scan:
    """Reads a file that should have `nbytes` bytes and hold the windows of `rows`.

    Without rows it is any file, and nothing but its digest is found. `progress` is told how many
    bytes were read.
    """
    stream = _Stream(file, progress)
    pieces = _tfrecord_pieces if file_format == "tfrecord" else _hdf5_pieces
    damaged: dict[int, str] = {}
    statistics = Statistics.zero(config.n_mels)
    for piece in pieces(stream, rows, config.specs()):
        if piece.problem:
            damaged.setdefault(piece.number, piece.problem)
        elif "log_mel" in piece.features:
            valid = piece.features["log_mel"][: rows[piece.number]["valid_frames"]]
            statistics += Statistics.of(valid)
    end = stream.position
    stream.read_up_to(nbytes)
    sha256_of_start = stream.sha256
    stream.read_up_to(None)
    return Scan(stream.position, stream.sha256, sha256_of_start, damaged, end, statistics)


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
        """Reads on to a place in the file, or to its end; what was passed is not gone back to."""
        while position is None or self.position < position:
            left = _CHUNK_BYTES if position is None else position - self.position
            if not self.read(min(_CHUNK_BYTES, left)):
                return


def _tfrecord_pieces(
    stream: _Stream, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
) -> Iterator[_Piece]:
    """Window by window: a record's place and length follow from the rows, whatever it says itself.

    So a record whose length is damaged does not hide those behind it.
    """
    zeros = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
    lengths = [record_nbytes(_window(row, zeros)) for row in rows]
    starts = itertools.accumulate(lengths, initial=0)
    spans = list(zip(starts, lengths, strict=False))
    for number, record in enumerate(_read_spans(stream, spans)):
        row, start = rows[number], spans[number][0]
        try:
            features = {
                name: _payload(record, row[f"{name}_offset"] - start, row, spec)
                for name, spec in specs.items()
            }
            _check_record(record, start, row, features)
        except _DamageError as damage:
            yield _Piece(number, {}, f"record at byte {start}: {damage}")
        else:
            yield _Piece(number, features)


def _check_record(
    record: memoryview, start: int, row: Row, features: Mapping[str, NDArray[Any]]
) -> None:
    """Raises `_DamageError` unless the bytes around the payloads are what they have to be."""
    chunks, offsets = record_chunks(_window(row, features))
    if any(row[f"{name}_offset"] != start + offset for name, offset in offsets.items()):
        raise _DamageError("lies elsewhere by its index")
    position = 0
    for chunk in chunks:
        # The others are the payloads themselves, whose checksums agree.
        if isinstance(chunk, bytes) and record[position : position + len(chunk)] != chunk:
            raise _DamageError(f"its framing is damaged at byte {start + position}")
        position += len(chunk)


def _hdf5_pieces(
    stream: _Stream, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
) -> Iterator[_Piece]:
    """Payload by payload, in the order of the file."""
    places = []
    end = 0
    for offset, number, name in sorted(
        (row[f"{name}_offset"], number, name) for number, row in enumerate(rows) for name in specs
    ):
        if offset < end:
            yield _Piece(number, {}, f"byte {offset}: its index puts two payloads there")
            continue
        places.append((offset, number, name))
        end = offset + specs[name].nbytes
    spans = [(offset, specs[name].nbytes) for offset, _, name in places]
    for (offset, number, name), data in zip(places, _read_spans(stream, spans), strict=True):
        try:
            yield _Piece(number, {name: _payload(data, 0, rows[number], specs[name])})
        except _DamageError as damage:
            yield _Piece(number, {}, f"byte {offset}: {damage}")


def _read_spans(stream: _Stream, spans: Sequence[tuple[int, int]]) -> Iterator[memoryview]:
    """The bytes of each span, a start and a length, in the order of the file; fewer at its end.

    Those that adjoin are read together.
    """
    number = 0
    while number < len(spans):
        start, nbytes = spans[number]
        stop = number + 1
        while stop < len(spans) and spans[stop][0] == start + nbytes and nbytes < _CHUNK_BYTES:
            nbytes += spans[stop][1]
            stop += 1
        stream.read_up_to(start)
        block = memoryview(stream.read(nbytes))
        for offset, length in spans[number:stop]:
            yield block[offset - start :][:length]
        number = stop


class _DamageError(Exception):
    """Some bytes are not those that were written; the message says which."""


def _payload(data: memoryview, at: int, row: Row, spec: FeatureSpec) -> NDArray[Any]:
    """The feature that begins at `at`, a view of `data`."""
    payload = data[max(0, at) :][: spec.nbytes]
    if len(payload) < spec.nbytes:
        raise _DamageError(f"its {spec.name} was cut short")
    if row[f"{spec.name}_length"] != spec.nbytes:
        raise _DamageError(f"its {spec.name} has another length by its index")
    if crc32c(payload) != row[f"{spec.name}_crc32c"]:
        raise _DamageError(f"its {spec.name} fails its checksum")
    return as_array(payload, spec)


def _window(row: Row, features: Mapping[str, NDArray[Any]]) -> Window:
    return Window(row["recording_id"], row["first_frame"], row["valid_frames"], features)
