"""One window, and the one way to read it from a shard file of any format."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.checksums import crc32c
from schemas.errors import DamagedDataError
from schemas.features import FeatureSpec
from schemas.storage.ranges import RangeSource


@dataclasses.dataclass(frozen=True)
class Window:
    """One window of a recording.

    Attributes:
        recording_id: The recording that it is cut from.
        first_frame: The index of its first frame in the recording.
        valid_frames: How many of its frames lie within the recording; they come first.
        features: Arrays by feature name, with the shapes and dtypes of `FeatureConfig.specs`.

    Examples:
        >>> from schemas import Dataset
        >>> window = Dataset("dataset").window("train", 0)
        >>> window.first_frame, window.valid_frames < 430
        (0, True)
        >>> {name: (array.shape, array.dtype.str) for name, array in window.features.items()}
        {'log_mel': ((430, 128), '<f4'), 'waveform': ((220160,), '<i2'), \
'notes': ((430, 128), '|u1'), 'onsets': ((430, 128), '|u1')}
    """

    recording_id: str
    first_frame: int
    valid_frames: int
    features: Mapping[str, NDArray[Any]]


def read_at(file: RangeSource, offset: int, length: int, crc: int, *, where: str) -> bytes:
    """The bytes of one feature of one window, from a shard of any file format.

    Args:
        file: The shard, from `Storage.open_ranges`.
        offset: The position of the first byte in the file.
        length: The number of bytes.
        crc: The crc32c that they must have.
        where: The name of the file and the window, for the message of an error.

    Returns:
        The bytes: an array in C order, little-endian.

    Raises:
        DamagedDataError: If the bytes are missing or have another checksum.

    Examples:
        >>> import contextlib
        >>> from schemas import Dataset, read_at
        >>> dataset = Dataset("dataset")
        >>> shard = dataset.shards("train", "hdf5")[0]
        >>> row = dataset.index(shard).table.to_pylist()[0]
        >>> span = row["notes_offset"], row["notes_length"], row["notes_crc32c"]
        >>> with contextlib.closing(dataset.storage.open_ranges(shard)) as file:
        ...     len(read_at(file, *span, where=shard))
        55040
    """
    data = file.read(offset, length)
    if len(data) != length:
        raise DamagedDataError(
            f"{where}: {len(data)} of {length} bytes at {offset}: the file was cut short"
        )
    if crc32c(data) != crc:
        raise DamagedDataError(f"{where}: the {length} bytes at {offset} fail their checksum")
    return data


def read_window(
    file: RangeSource, row: Mapping[str, Any], specs: Mapping[str, FeatureSpec], *, where: str
) -> Window:
    """The window of one row of an index, with the features of `specs`; arrays are read-only.

    Raises `DamagedDataError`, naming the window, where a feature fails its checksum.
    """
    window = f"{where}: window of {row['recording_id']} at frame {row['first_frame']}"
    features = {}
    for name, spec in specs.items():
        offset, length, crc = (row[f"{name}_{part}"] for part in ("offset", "length", "crc32c"))
        data = read_at(file, offset, length, crc, where=f"{window}: {name}")
        features[name] = as_array(data, spec)
    return Window(row["recording_id"], row["first_frame"], row["valid_frames"], features)


def as_array(data: bytes | memoryview, spec: FeatureSpec) -> NDArray[Any]:
    """A read-only array of the spec's shape and dtype over `data`, `spec.nbytes` bytes."""
    return np.frombuffer(data, spec.dtype).reshape(spec.shape)
