"""HDF5 shards: one contiguous dataset a feature, [windows, ...], so that offsets are plain sums."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

import h5py
import numpy as np
import pyarrow as pa

from schemas.checksums import sha256_of_file
from schemas.features import FeatureSpec
from schemas.shards import IndexBuilder, Window


class HDF5Writer:
    """Writes `windows` windows to a new file on a local disk, which HDF5 needs for seeking.

    Datasets: the features, each [windows, *shape]; `recording_id`, fixed-length UTF-8 of
    `id_bytes` bytes; `first_frame` int64 and `valid_frames` int32. All are allocated at once and
    nothing is compressed; in the earliest format nothing is stamped with a time, so that equal
    windows make equal files.
    """

    def __init__(
        self, path: str, specs: Mapping[str, FeatureSpec], *, windows: int, id_bytes: int
    ) -> None:
        self._path = path
        self._windows = windows
        self._index = IndexBuilder(specs)
        self._row = 0
        self._file = h5py.File(path, "w", libver="earliest")
        self._specs = specs
        for spec in specs.values():
            self._create(spec.name, spec.shape, spec.dtype)
            self._file[spec.name].attrs["unit"] = spec.unit
        self._create("recording_id", (), h5py.string_dtype("utf-8", max(1, id_bytes)))
        self._create("first_frame", (), "<i8")
        self._create("valid_frames", (), "<i4")

    def _create(self, name: str, shape: tuple[int, ...], dtype: object) -> None:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.CONTIGUOUS)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        properties.set_obj_track_times(False)
        space = h5py.h5s.create_simple((self._windows, *shape))
        kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)  # type: ignore[call-overload]
        h5py.h5d.create(self._file.id, name.encode(), kind, space, properties)

    def write(self, window: Window) -> None:
        offsets = {}
        for name, spec in self._specs.items():
            dataset = self._file[name]
            dataset[self._row] = window.features[name]
            offsets[name] = dataset.id.get_offset() + self._row * spec.nbytes
        self._file["recording_id"][self._row] = window.recording_id.encode()
        self._file["first_frame"][self._row] = window.first_frame
        self._file["valid_frames"][self._row] = window.valid_frames
        self._index.add(window, offsets)
        self._row += 1

    def finish(self) -> tuple[pa.Table, str, int]:
        """Closes the file; the rows of the index, the file's sha256 and its length in bytes."""
        self._file.close()
        with open(self._path, "rb") as file:
            digest = sha256_of_file(file)
            return self._index.table(), digest, file.tell()

    def __enter__(self) -> HDF5Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def window_names(file: h5py.File) -> list[tuple[str, int, int]]:
    """What an HDF5 shard says its windows are: recording_id, first_frame, valid_frames."""
    ids = [recording_id.decode() for recording_id in file["recording_id"][:]]
    frames = (file[name][:].tolist() for name in ("first_frame", "valid_frames"))
    return list(zip(ids, *frames, strict=True))
