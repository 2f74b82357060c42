"""TFRecord shards: framing, and `Example` messages put together by hand.

The framing is that of TensorFlow's `record_writer.h`: length (uint64), masked crc32c of the
length, data, masked crc32c of the data, all little-endian. A message is put together here, and not
by protobuf, because a shard's index needs the offset of each payload in the file; TensorFlow's own
`parse_single_example` reads the result.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.checksums import crc32c
from schemas.codecs.base import IndexBuilder, Piece, Row, Stream
from schemas.codecs.spans import DamageError, read_payload, read_spans
from schemas.features import FeatureSpec
from schemas.storage import Storage
from schemas.windows import Window

_HEADER_BYTES = 12
_FOOTER_BYTES = 4


class TFRecordCodec:
    """A record per window, an `Example`, and nothing else. Implements `base.ShardCodec`."""

    name = "tfrecord"
    extension = "tfrecord"
    ends_with_windows = True

    @contextlib.contextmanager
    def create(
        self,
        storage: Storage,
        name: str,
        specs: Mapping[str, FeatureSpec],
        recording_ids: Sequence[str],
    ) -> Iterator[TFRecordWriter]:
        with storage.create(name) as file:
            yield TFRecordWriter(file, specs)

    def pieces(
        self, stream: Stream, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
    ) -> Iterator[Piece]:
        """Window by window: a record's offset and length follow from the rows alone.

        So a record whose length is damaged does not hide those behind it.
        """
        zeros = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        lengths = [record_nbytes(_window(row, zeros)) for row in rows]
        starts = itertools.accumulate(lengths, initial=0)
        spans = list(zip(starts, lengths, strict=False))
        for number, record in enumerate(read_spans(stream, spans)):
            row, start = rows[number], spans[number][0]
            try:
                features = {
                    name: read_payload(record, row[f"{name}_offset"] - start, row, spec)
                    for name, spec in specs.items()
                }
                _check_record(record, start, row, features)
            except DamageError as damage:
                yield Piece(number, {}, f"record at byte {start}: {damage}")
            else:
                yield Piece(number, features)

    def problems(
        self,
        storage: Storage,
        name: str,
        rows: Sequence[Row],
        specs: Mapping[str, FeatureSpec],
    ) -> Iterable[str]:
        """None: `pieces` covers every byte of a record."""
        return ()


def _check_record(
    record: memoryview, start: int, row: Row, features: Mapping[str, NDArray[Any]]
) -> None:
    """Raises `DamageError` unless the bytes around the payloads are what they have to be."""
    chunks, offsets = record_chunks(_window(row, features))
    if any(row[f"{name}_offset"] != start + offset for name, offset in offsets.items()):
        raise DamageError("lies elsewhere by its index")
    position = 0
    for chunk in chunks:
        # The others are the payloads themselves, whose checksums agree.
        if isinstance(chunk, bytes) and record[position : position + len(chunk)] != chunk:
            raise DamageError(f"its framing is damaged at byte {start + position}")
        position += len(chunk)


def _window(row: Row, features: Mapping[str, NDArray[Any]]) -> Window:
    return Window(row["recording_id"], row["first_frame"], row["valid_frames"], features)


class TFRecordWriter:
    """Writes windows to a binary file that need not seek. One window is in memory at a time."""

    def __init__(self, file: BinaryIO, specs: Mapping[str, FeatureSpec]) -> None:
        self._file = file
        self._index = IndexBuilder(specs)
        self._sha256 = hashlib.sha256()
        self._position = 0

    def write(self, window: Window) -> None:
        start = self._position
        chunks, offsets = record_chunks(window)
        for chunk in chunks:
            self._file.write(chunk)
            self._sha256.update(chunk)
            self._position += len(chunk)
        self._index.add(window, {name: start + at for name, at in offsets.items()})

    def finish(self) -> tuple[pa.Table, str, int]:
        return self._index.table(), self._sha256.hexdigest(), self._position


def masked_crc32c(data: bytes) -> int:
    """The masked crc32c of `data`, as TFRecord files hold it."""
    return mask(crc32c(data))


def mask(crc: int) -> int:
    """TensorFlow's masking, `crc32c.h`: a crc over data that holds crcs would be weak."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame_record(chunks: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """One record whose data is the chunks, one after the other."""
    length = struct.pack("<Q", sum(map(len, chunks)))
    crc = 0
    for chunk in chunks:
        crc = crc32c(chunk, crc)
    header = length + struct.pack("<I", masked_crc32c(length))
    return [header, *chunks, struct.pack("<I", mask(crc))]


def record_nbytes(window: Window) -> int:
    """The length of a window's record; of its arrays only the sizes matter."""
    chunks, _ = _example(window)
    return _HEADER_BYTES + sum(map(len, chunks)) + _FOOTER_BYTES


def record_chunks(window: Window) -> tuple[list[bytes | memoryview], dict[str, int]]:
    """A window's record, and where in it each array starts, which is a chunk of its own."""
    chunks, offsets = _example(window)
    return frame_record(chunks), {name: _HEADER_BYTES + at for name, at in offsets.items()}


def example_bytes(window: Window) -> bytes:
    """The serialized `tf.train.Example` of a window; features in the order of their names."""
    chunks, _ = _example(window)
    return b"".join(chunks)


def _example(window: Window) -> tuple[list[bytes | memoryview], dict[str, int]]:
    """The chunks of a serialized Example, and where in it each array's bytes start."""
    small = {
        "first_frame": _int64_list(window.first_frame),
        "recording_id": _bytes_list(window.recording_id.encode()),
        "valid_frames": _int64_list(window.valid_frames),
    }
    chunks: list[bytes | memoryview] = []
    offsets: dict[str, int] = {}
    position = 0
    for name in sorted([*small, *window.features]):
        if name in small:
            chunk = _map_entry(name, small[name], 0)
            chunks.append(chunk)
            position += len(chunk)
            continue
        array = window.features[name]
        head = _array_head(name, array.nbytes)
        offsets[name] = position + len(head)
        chunks += [head, array.reshape(-1).view("u1").data]
        position += len(head) + array.nbytes
    features_head = b"\x0a" + _varint(position)  # Example.features
    offsets = {name: len(features_head) + offset for name, offset in offsets.items()}
    return [features_head, *chunks], offsets


@functools.lru_cache(maxsize=64)
def _array_head(name: str, nbytes: int) -> bytes:
    """The entry of an array of `nbytes` bytes, without these bytes; the same for all windows."""
    return _map_entry(name, _bytes_list_head(nbytes), nbytes)


def _map_entry(name: str, value: bytes, bytes_to_follow: int) -> bytes:
    """`Features.feature[name] = Feature`, without its last `bytes_to_follow` bytes."""
    key = name.encode()
    feature = b"\x12" + _varint(len(value) + bytes_to_follow) + value
    entry = b"\x0a" + _varint(len(key)) + key + feature
    return b"\x0a" + _varint(len(entry) + bytes_to_follow) + entry


def _bytes_list(value: bytes) -> bytes:
    return _bytes_list_head(len(value)) + value


def _bytes_list_head(length: int) -> bytes:
    """`Feature.bytes_list` of one value of `length` bytes, without these bytes."""
    value_head = b"\x0a" + _varint(length)
    return b"\x0a" + _varint(len(value_head) + length) + value_head


def _int64_list(value: int) -> bytes:
    """`Feature.int64_list` of one value, packed."""
    packed = _varint(value & 0xFFFFFFFFFFFFFFFF)
    values = b"\x0a" + _varint(len(packed)) + packed
    return b"\x1a" + _varint(len(values)) + values


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
