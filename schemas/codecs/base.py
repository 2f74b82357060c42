"""What a file format of shards has to offer, and what its implementations share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa
from numpy.typing import NDArray

from schemas.checksums import crc32c
from schemas.features import FeatureSpec
from schemas.storage import Storage
from schemas.tables import index_schema
from schemas.windows import Window

Row = Mapping[str, Any]
"""A row of a shard's index: the columns of `tables.index_schema`."""


class ShardWriter(Protocol):
    """Writes the windows of one shard file."""

    def write(self, window: Window) -> None:
        """Appends a window, whose arrays are C-contiguous."""

    def finish(self) -> tuple[pa.Table, str, int]:
        """The index (`tables.index_schema`), the file's sha256 and its length in bytes."""


class Stream(Protocol):
    """A file that is read once, from its start to its end."""

    @property
    def position(self) -> int:
        """Bytes read so far."""

    def read(self, nbytes: int) -> bytes:
        """The next bytes; fewer only at the end of the file."""

    def read_up_to(self, position: int) -> None:
        """Skips to a position in the file, or to its end; does nothing if it was passed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """Some features of the window of row `number`; `problem` says what is wrong with them, if so.

    The arrays are of the shapes and dtypes of their specs, and none where there is a problem.
    """

    number: int
    features: Mapping[str, NDArray[Any]]
    problem: str | None = None


class ShardCodec(Protocol):
    """A file format of shards; registered in `codecs.CODECS`.

    However it lays out a file, each feature of each window is one run of raw little-endian bytes in
    C order, which the index locates.
    """

    name: str
    """What `--format` and the manifest call it."""

    extension: str
    """The ending of its files, without the dot."""

    ends_with_windows: bool
    """Whether a sound file ends where its last window does."""

    def create(
        self,
        storage: Storage,
        name: str,
        specs: Mapping[str, FeatureSpec],
        recording_ids: Sequence[str],
    ) -> AbstractContextManager[ShardWriter]:
        """Opens a new shard file `name` for one window of each of `recording_ids`, in their order.

        It appears, whole, when the block ends without an exception. Raises as `Storage.create`.
        """

    def pieces(
        self, stream: Stream, rows: Sequence[Row], specs: Mapping[str, FeatureSpec]
    ) -> Iterator[Piece]:
        """All features of the windows of an index, from one pass over a file that may be damaged.

        `rows` say where each window lies, so that damage to one hides none of the others.
        """

    def problems(
        self,
        storage: Storage,
        name: str,
        rows: Sequence[Row],
        specs: Mapping[str, FeatureSpec],
    ) -> Iterable[str]:
        """What is wrong with the structure of a file whose pieces and sha256 are right."""


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
        """A table of `tables.index_schema`, a row per window in the order of `add`."""
        return pa.Table.from_pylist(self._rows, self._schema)
