"""A published dataset, opened for reading."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from schemas.checksums import canonical_json, sha256
from schemas.errors import DamagedDataError, DatasetError, UnreadableFileError
from schemas.features import FeatureConfig
from schemas.manifest import MANIFEST_FILE, Manifest
from schemas.shards import FORMATS, ShardIndex, index_file, shard_file
from schemas.storage import Storage
from schemas.tables import (
    INPUTS,
    INPUTS_FILE,
    RECORDINGS,
    RECORDINGS_FILE,
    REJECTS,
    REJECTS_FILE,
    table_from_bytes,
)
from schemas.windows import Window, read_window


class Dataset:
    """A published dataset, opened for reading: its manifest, and tables and windows on demand.

    Args:
        root: A local folder, or a URL that fsspec knows.

    Attributes:
        storage: The folder of the dataset, a `Storage`.
        manifest: What `dataset.json` says, a `Manifest`.

    Raises:
        DatasetError: If `root` holds no complete dataset of a format version that this code reads.
        StoreError: If a store fails.

    Examples:
        >>> from schemas import Dataset
        >>> dataset = Dataset("dataset")
        >>> dataset.shards("train", "tfrecord")
        ['train/00000-of-00001.tfrecord']
        >>> window = dataset.window("train", 0)
        >>> window.features["log_mel"].shape
        (430, 128)
        >>> dataset.recordings().select(["recording_id", "split"]).to_pylist()[0]
        {'recording_id': '1727', 'split': 'train'}
    """

    def __init__(self, root: str | bytes | os.PathLike[str]) -> None:
        self.storage = Storage(root)
        where = self.storage.path(MANIFEST_FILE)
        self.manifest = Manifest.from_bytes(_manifest_bytes(self.storage), where=where)

    @property
    def config(self) -> FeatureConfig:
        """What the windows are."""
        return self.manifest.config

    def shards(self, split: str, file_format: str) -> list[str]:
        """The names of a split's shard files in one of the dataset's formats, in order.

        Raises `DatasetError` for a format or a split that the dataset does not have.
        """
        if file_format not in self.manifest.formats:
            raise DatasetError(
                f"{self.storage.root}: holds {' and '.join(self.manifest.formats)}, "
                f"not {file_format!r}; choose from {', '.join(FORMATS)}"
            )
        if split not in list(self.manifest.splits):
            raise DatasetError(
                f"{self.storage.root}: has no split {split!r}, only "
                f"{', '.join(self.manifest.splits)}"
            )
        count = self.manifest.splits[split].shards
        return [shard_file(split, number, count, file_format) for number in range(count)]

    def index(self, shard: str, *, sound: bool = False) -> ShardIndex:
        """The index of a shard file; if `sound`, one that is as the manifest says.

        Raises `DatasetError` where it is missing or damaged.
        """
        name = index_file(shard)
        with self._naming_remedy():
            data = self._bytes(name, sound=sound)
            return ShardIndex.from_bytes(data, self.config.specs(), where=self.storage.path(name))

    def window(self, split: str, position: int) -> Window:
        """The window at a position of a split, from 0 in file order, read in the first format.

        Raises `DatasetError` for a position outside the split, and `DamagedDataError` for a damaged
        window.
        """
        seen = 0
        for shard in self.shards(split, self.manifest.formats[0]):
            table = self.index(shard).table
            if 0 <= position - seen < table.num_rows:
                row = table.slice(position - seen, 1).to_pylist()[0]
                with contextlib.closing(self.storage.open_ranges(shard)) as file:
                    return read_window(file, row, self.config.specs(), where=shard)
            seen += table.num_rows
        raise DatasetError(
            f"{self.storage.root}: no window {position} in {split}, which has {seen}; choose one, "
            "counted from 0"
        )

    def recordings(self, *, columns: Sequence[str] | None = None, sound: bool = False) -> pa.Table:
        """A row per recording, of `tables.RECORDINGS`, or some of its columns.

        If `sound`, the table is as the manifest says. Raises `DatasetError` where it is missing or
        damaged.
        """
        return self._table(RECORDINGS_FILE, RECORDINGS, columns=columns, sound=sound)

    def rejects(self) -> pa.Table:
        """A row per reject, of `tables.REJECTS`; raises as `recordings` does."""
        return self._table(REJECTS_FILE, REJECTS)

    def inputs(self, *, sound: bool = False) -> pa.Table:
        """A row per file that the dataset was made of, of `tables.INPUTS`; see `recordings`.

        Raises `DatasetError` where an older version made the dataset, which kept no digests, and as
        `recordings` does.
        """
        if INPUTS_FILE not in self.manifest.files:
            raise DatasetError(
                f"{self.storage.root}: does not say what its input files were, because an older "
                "version made it; make it again to have their digests"
            )
        return self._table(INPUTS_FILE, INPUTS, sound=sound)

    def _table(
        self,
        name: str,
        schema: pa.Schema,
        *,
        columns: Sequence[str] | None = None,
        sound: bool = False,
    ) -> pa.Table:
        where = self.storage.path(name)
        with self._naming_remedy():
            data = self._bytes(name, sound=sound)
            return table_from_bytes(data, schema, where=where, columns=columns)

    def _bytes(self, name: str, *, sound: bool) -> bytes:
        data = self.storage.read_bytes(name)
        entry = self.manifest.files.get(name)
        if sound and (entry is None or sha256(data) != entry.sha256):
            raise DamagedDataError(
                f"{self.storage.path(name)}: differs from its sha256 in {MANIFEST_FILE}"
            )
        return data

    @contextlib.contextmanager
    def _naming_remedy(self) -> Iterator[None]:
        """Says in the message of a damaged file what to do."""
        try:
            yield
        except DamagedDataError as error:
            remedy = f"find out what else is damaged with: duet verify {self.storage.root}"
            raise DamagedDataError(f"{error}; {remedy}") from None


def _manifest_bytes(storage: Storage) -> bytes:
    """A store gets one request where all is well; why reading fails takes others to find out."""
    try:
        return storage.read_bytes(MANIFEST_FILE)
    except UnreadableFileError:
        storage.require_store()
        if storage.exists(MANIFEST_FILE):
            raise
    raise DatasetError(
        f"{storage.path(MANIFEST_FILE)}: no such file, so there is no whole dataset here; "
        "make one with: duet preprocess --input INPUT --output DATASET"
    )


def fingerprint(config: FeatureConfig, plan_digest: str, indexes: Iterable[pa.Table]) -> str:
    """The sha256 of what the data is: configuration, plan, and every window's checksums in order.

    `indexes` are the index tables of one format, by split in the order of `SPLITS` and shard.
    Offsets are left out, so that all file formats of the same data have one fingerprint.
    """
    digest = hashlib.sha256(canonical_json([config.to_dict(), plan_digest]))
    for table in indexes:
        columns = [name for name in table.column_names if not name.endswith("_offset")]
        for row in table.select(columns).to_pylist():
            digest.update(canonical_json(row))
    return digest.hexdigest()
