"""HDF5 shards: one contiguous dataset per feature, [windows, ...]; offsets are plain sums."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import h5py
import numpy as np
import pyarrow as pa

from schemas.checksums import sha256_of_file
from schemas.codecs.base import IndexBuilder, Piece, Row, Stream
from schemas.codecs.spans import DamageError, read_payload, read_spans
from schemas.features import FeatureSpec
from schemas.storage import Storage
from schemas.windows import Window


class HDF5Codec:
    """A dataset per feature. Implements `base.ShardCodec`."""

    name = "hdf5"
    extension = "h5"
    ends_with_windows = False

    @contextlib.contextmanager
    def create(
        self,
        storage: Storage,
        name: str,
        specs: Mapping[str, FeatureSpec],
        recording_ids: Sequence[str],
    ) -> Iterator[HDF5Writer]:
        id_bytes = max((len(each.encode()) for each in set(recording_ids)), default=1)
        with storage.create_seekable(name) as file:
            yield HDF5Writer(file, specs, windows=len(recording_ids), id_bytes=id_bytes)

    def pieces(
        self, stream: Stream, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
    ) -> Iterator[Piece]:
        """Payload by payload, in the order of the file."""
        found = []
        end = 0
        for offset, number, name in sorted(
            (row[f"{name}_offset"], number, name)
            for number, row in enumerate(rows)
            for name in specs
        ):
            if offset < end:
                yield Piece(number, {}, f"byte {offset}: its index puts two payloads there")
                continue
            found.append((offset, number, name))
            end = offset + specs[name].nbytes
        spans = [(offset, specs[name].nbytes) for offset, _, name in found]
        for (offset, number, name), data in zip(found, read_spans(stream, spans), strict=True):
            try:
                yield Piece(number, {name: read_payload(data, 0, rows[number], specs[name])})
            except DamageError as damage:
                yield Piece(number, {}, f"byte {offset}: {damage}")

    def problems(
        self,
        storage: Storage,
        name: str,
        rows: Sequence[Row],
        specs: Mapping[str, FeatureSpec],
    ) -> Iterator[str]:
        """Whether h5py finds the windows of the index, at the offsets that the index says."""
        try:
            with storage.open(name) as stored, h5py.File(stored, "r") as file:
                yield from _array_problems(file, rows, specs)
        except (OSError, KeyError) as error:
            yield f"is not a readable HDF5 shard: {error}"


def _array_problems(
    file: h5py.File, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
) -> Iterator[str]:
    count = len(rows)
    for name, spec in specs.items():
        data = file[name]
        if data.shape != (count, *spec.shape) or data.dtype != spec.dtype:
            yield f"{name} is {data.dtype} {data.shape}"
            continue
        start = data.id.get_offset()
        offsets = [start + row * spec.nbytes for row in range(count)]
        if count and [row[f"{name}_offset"] for row in rows] != offsets:
            yield f"{name} does not lie where its index says"
    names = [(row["recording_id"], row["first_frame"], row["valid_frames"]) for row in rows]
    if window_names(file) != names:
        yield "names other windows than its index"


def window_names(file: h5py.File) -> list[tuple[str, int, int]]:
    """What an HDF5 shard says its windows are: recording_id, first_frame, valid_frames."""
    ids = [recording_id.decode() for recording_id in file["recording_id"][:]]
    frames = (file[name][:].tolist() for name in ("first_frame", "valid_frames"))
    return list(zip(ids, *frames, strict=True))


class HDF5Writer:
    """Writes `windows` windows to a binary file that can be read and seeked.

    Datasets: the features, each [windows, *shape]; `recording_id`, fixed-length UTF-8 of
    `id_bytes` bytes; `first_frame` int64 and `valid_frames` int32. All are allocated at once and
    nothing is compressed; in the earliest format nothing is stamped with a time, so that equal
    windows make equal files.

    libhdf5 lays the file out and never writes to it: it cannot close a file on a full disk, and
    takes the process with it.
    """

    def __init__(
        self, file: BinaryIO, specs: Mapping[str, FeatureSpec], *, windows: int, id_bytes: int
    ) -> None:
        self._file = file
        self._specs = specs
        self._index = IndexBuilder(specs)
        self._names: list[tuple[bytes, int, int]] = []
        self._name_kinds = {
            "recording_id": h5py.string_dtype("utf-8", max(1, id_bytes)),
            "first_frame": np.dtype("<i8"),
            "valid_frames": np.dtype("<i4"),
        }
        layout = _Layout()
        with h5py.File(layout, "w", libver="earliest") as hdf5:
            for spec in specs.values():
                _create(hdf5, spec.name, (windows, *spec.shape), spec.dtype)
                hdf5[spec.name].attrs["unit"] = spec.unit
            for name, kind in self._name_kinds.items():
                _create(hdf5, name, (windows,), kind)
            self._offsets = {name: dataset.id.get_offset() for name, dataset in hdf5.items()}
        file.truncate(layout.size)
        for offset, data in layout.written:
            self._write_at(offset, data)

    def write(self, window: Window) -> None:
        row = len(self._names)
        offsets = {
            name: self._offsets[name] + row * spec.nbytes for name, spec in self._specs.items()
        }
        for name, offset in offsets.items():
            self._write_at(offset, window.features[name].reshape(-1).view("u1").data)
        self._index.add(window, offsets)
        self._names.append((window.recording_id.encode(), window.first_frame, window.valid_frames))

    def finish(self) -> tuple[pa.Table, str, int]:
        for (name, kind), values in zip(
            self._name_kinds.items(), zip(*self._names, strict=True), strict=False
        ):
            self._write_at(self._offsets[name], np.array(values, kind).tobytes())
        self._file.seek(0)
        return self._index.table(), sha256_of_file(self._file), self._file.tell()

    def _write_at(self, offset: int, data: bytes | memoryview) -> None:
        self._file.seek(offset)
        self._file.write(data)


class _Layout:
    """A file in memory: the few pieces written to it, in that order, and its length in bytes."""

    def __init__(self) -> None:
        self.written: list[tuple[int, bytes]] = []
        self.size = 0
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (self.size if whence == 2 else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        for offset, piece in self.written:
            at = offset - self._position
            first, last = max(at, 0), min(at + len(piece), size)
            if first < last:
                data[first:last] = piece[first - at : last - at]
        self._position += size
        return bytes(data)

    def write(self, data: memoryview) -> int:
        self.written.append((self._position, bytes(data)))
        self._position += len(data)
        self.size = max(self.size, self._position)
        return len(data)

    def truncate(self, size: int) -> None:
        self.size = size

    def flush(self) -> None:
        pass


def _create(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    h5py.h5d.create(file.id, name.encode(), kind, space, properties)
