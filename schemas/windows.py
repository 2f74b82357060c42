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
from schemas.storage.ranges import RangeReader


@dataclasses.dataclass(frozen=True)
class Window:
    """One window: `features` maps names to arrays of the shapes and dtypes of their specs.

    It begins at frame `first_frame` of its recording; of its frames, the first `valid_frames` lie
    within the recording.
    """

    recording_id: str
    first_frame: int
    valid_frames: int
    features: Mapping[str, NDArray[Any]]


def read_at(file: RangeReader, offset: int, length: int, crc: int, *, where: str) -> bytes:
    """The `length` bytes at `offset` of one feature of one window, from a shard of any format.

    Raises `DamagedDataError` when they are missing or do not have the checksum `crc` (crc32c).
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
    file: RangeReader, row: Mapping[str, Any], specs: Mapping[str, FeatureSpec], *, where: str
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
