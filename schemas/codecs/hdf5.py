"""HDF5 shards: one contiguous dataset a feature, [windows, ...], so that offsets are plain sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import h5py
import numpy as np
import pyarrow as pa

from schemas.checksums import sha256_of_file
from schemas.features import FeatureSpec
from schemas.shards import IndexBuilder, Window


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
        """The rows of the index, the file's sha256 and its length in bytes."""
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
    """A file in memory: the few pieces written to it, in that order, and how long it shall be."""

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


def window_names(file: h5py.File) -> list[tuple[str, int, int]]:
    """What an HDF5 shard says its windows are: recording_id, first_frame, valid_frames."""
    ids = [recording_id.decode() for recording_id in file["recording_id"][:]]
    frames = (file[name][:].tolist() for name in ("first_frame", "valid_frames"))
    return list(zip(ids, *frames, strict=True))
