"""Names of shard files, and what their indexes say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from schemas.checksums import canonical_json
from schemas.codecs import CODECS
from schemas.errors import DamagedDataError
from schemas.features import FeatureSpec
from schemas.names import FORMATS as FORMATS
from schemas.names import SPLITS as SPLITS
from schemas.rejects import Reject
from schemas.statistics import Statistics
from schemas.tables import index_schema, table_bytes, table_from_bytes

_REPORT_KEY = b"shard_report"


def shard_file(split: str, number: int, count: int, file_format: str) -> str:
    """The name of a shard within its dataset, for example `train/00000-of-00016.tfrecord`."""
    return f"{split}/{number:05d}-of-{count:05d}.{CODECS[file_format].extension}"


def index_file(shard: str) -> str:
    """The name of a shard's index."""
    return f"{shard}.index.parquet"


def shard_bounds(number: int, count: int, windows: int) -> tuple[int, int]:
    """The positions of a split that one of `count` shards holds: the first, and one past the last.

    The split has `windows` windows, whose positions count from 0.
    """
    return number * windows // count, (number + 1) * windows // count


def shard_at(position: int, count: int, windows: int) -> int:
    """The number of the shard that holds a position: the inverse of `shard_bounds`."""
    return ((position + 1) * count - 1) // windows


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ShardReport:
    """What the writer of a shard file knows of it, kept in the metadata of its index.

    `sha256` and `nbytes` are those of the file, `rejects` the windows left out of it. `clipped`
    counts saturated waveform samples by recording; `statistics` is None for a dataset without
    `log_mel`.
    """

    plan_digest: str
    sha256: str
    nbytes: int
    windows: int
    statistics: Statistics | None
    rejects: tuple[Reject, ...]
    clipped: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, statistics=None))
        return {**values, "statistics": self.statistics and self.statistics.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> ShardReport:
        """Reads what `to_dict` made. Raises `DamagedDataError`, naming `where`, otherwise."""
        try:
            statistics = values["statistics"]
            return cls(
                **{
                    **values,
                    "statistics": statistics and Statistics.from_dict(statistics, where=where),
                    "rejects": tuple(map(Reject.from_dict, values["rejects"])),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedDataError(f"{where}: the shard's report cannot be read: {error}") from None


@dataclasses.dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where the windows of one shard file are: a table of `tables.index_schema`, and a report."""

    table: pa.Table
    report: ShardReport

    def to_bytes(self) -> bytes:
        """A Parquet file, with the report in its metadata."""
        report = canonical_json(self.report.to_dict())
        return table_bytes(self.table.replace_schema_metadata({_REPORT_KEY: report}))

    @classmethod
    def from_bytes(cls, data: bytes, specs: Mapping[str, FeatureSpec], *, where: str) -> ShardIndex:
        """Reads what `to_bytes` made of the features of `specs`.

        Raises `DamagedDataError`, naming `where`, for anything else.
        """
        table = table_from_bytes(data, index_schema(specs), where=where)
        try:
            report = json.loads((table.schema.metadata or {})[_REPORT_KEY])
        except (KeyError, ValueError):
            raise DamagedDataError(f"{where}: holds no shard report") from None
        return cls(table, ShardReport.from_dict(report, where=where))
