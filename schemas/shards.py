"""Names of shard files, what their indexes say, and the one way to read a feature from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.checksums import canonical_json, crc32c
from schemas.errors import DamagedDataError
from schemas.features import FeatureSpec
from schemas.rejects import Reject
from schemas.statistics import Statistics
from schemas.storage.ranges import RangeReader
from schemas.tables import index_schema, table_bytes, table_from_bytes

SPLITS = ("train", "validation", "test")
FORMATS = ("tfrecord", "hdf5")


_EXTENSIONS = {"tfrecord": "tfrecord", "hdf5": "h5"}
_REPORT_KEY = b"shard_report"


def shard_file(split: str, number: int, count: int, file_format: str) -> str:
    """The name of a shard within its dataset, such as `train/00000-of-00016.tfrecord`."""
    return f"{split}/{number:05d}-of-{count:05d}.{_EXTENSIONS[file_format]}"


def index_file(shard: str) -> str:
    """The name of a shard's index."""
    return f"{shard}.index.parquet"


def shard_bounds(number: int, count: int, windows: int) -> tuple[int, int]:
    """The places, first and one past the last, that one of `count` shards holds."""
    return number * windows // count, (number + 1) * windows // count


@dataclasses.dataclass(frozen=True)
class Window:
    """One window: `features` maps names to arrays of the shapes and dtypes of their specs."""

    recording_id: str
    first_frame: int
    valid_frames: int
    features: Mapping[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class ShardReport:
    """What the writer of a shard file knows of it; it stands in the metadata of its index.

    `clipped` counts saturated waveform samples by recording; `statistics` is None for a dataset
    without `log_mel`.
    """

    plan_digest: str
    sha256: str
    nbytes: int
    windows: int
    statistics: Statistics | None
    rejects: tuple[Reject, ...]
    clipped: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(dataclasses.replace(self, statistics=None))
        return {**values, "statistics": self.statistics and self.statistics.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> ShardReport:
        try:
            statistics = values["statistics"]
            return cls(
                **{
                    **values,
                    "statistics": statistics and Statistics.from_dict(statistics, where=where),
                    "rejects": tuple(Reject(**reject) for reject in values["rejects"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise DamagedDataError(f"{where}: the shard's report cannot be read: {error}") from None


@dataclasses.dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where the windows of one shard file are: a table of `tables.index_schema`, and a report."""

    table: pa.Table
    report: ShardReport

    def to_bytes(self) -> bytes:
        report = canonical_json(self.report.to_dict())
        return table_bytes(self.table.replace_schema_metadata({_REPORT_KEY: report}))

    @classmethod
    def from_bytes(cls, data: bytes, specs: Mapping[str, FeatureSpec], *, where: str) -> ShardIndex:
        table = table_from_bytes(data, index_schema(specs), where=where)
        try:
            report = json.loads((table.schema.metadata or {})[_REPORT_KEY])
        except (KeyError, ValueError):
            raise DamagedDataError(f"{where}: holds no shard report") from None
        return cls(table, ShardReport.from_dict(report, where=where))


class IndexBuilder:
    """Collects the rows of an index while a codec writes windows."""

    def __init__(self, specs: Mapping[str, FeatureSpec]) -> None:
        self._schema = index_schema(specs)
        self._rows: list[dict[str, Any]] = []

    def add(self, window: Window, offsets: Mapping[str, int]) -> None:
        """Adds a window whose features' bytes start at `offsets` in the file."""
        row: dict[str, Any] = {
            "recording_id": window.recording_id,
            "first_frame": window.first_frame,
            "valid_frames": window.valid_frames,
        }
        for name, offset in offsets.items():
            array = window.features[name]
            row[f"{name}_offset"] = offset
            row[f"{name}_length"] = array.nbytes
            row[f"{name}_crc32c"] = crc32c(array)
        self._rows.append(row)

    def table(self) -> pa.Table:
        return pa.Table.from_pylist(self._rows, self._schema)


def read_at(file: RangeReader, offset: int, length: int, crc: int, *, where: str) -> bytes:
    """The bytes of one feature of one window, from a shard of either format.

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
    place = f"{where}: window of {row['recording_id']} at frame {row['first_frame']}"
    features = {}
    for name, spec in specs.items():
        offset, length, crc = (row[f"{name}_{part}"] for part in ("offset", "length", "crc32c"))
        data = read_at(file, offset, length, crc, where=f"{place}: {name}")
        features[name] = as_array(data, spec)
    return Window(row["recording_id"], row["first_frame"], row["valid_frames"], features)


def as_array(data: bytes | memoryview, spec: FeatureSpec) -> NDArray[Any]:
    """A read-only array of the spec's shape and dtype over `data`."""
    return np.frombuffer(data, spec.dtype).reshape(spec.shape)
