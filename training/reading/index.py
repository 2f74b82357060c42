"""The index of a split: where its windows are, as a few numpy columns."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicnet_duet.concurrency import prefetch_map
from schemas import DamagedDataError, Dataset
from schemas.checksums import sha256
from schemas.errors import UnreadableFileError
from schemas.shards import ShardIndex, index_file
from training.errors import TrainingError
from training.reading.remedies import MAKE_AGAIN, remedy_of


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SplitIndex:
    """A row per window, in the order of the shards and of their files.

    `recordings` [windows] int32 are numbers of `recording_ids`; `shard_starts` int64 [shards + 1]
    are the first rows of the shards. Offsets are int64 and checksums (crc32c) uint32 columns by
    feature; `nbytes` says how many bytes of each feature every window has.
    """

    shards: Sequence[str]
    shard_starts: NDArray[np.int64]
    recording_ids: Sequence[str]
    recordings: NDArray[np.int32]
    first_frames: NDArray[np.int64]
    valid_frames: NDArray[np.int32]
    offsets: Mapping[str, NDArray[np.int64]]
    checksums: Mapping[str, NDArray[np.uint32]]
    nbytes: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.recordings)

    @functools.cached_property
    def ids(self) -> NDArray[np.str_]:
        """`recording_ids` as an array."""
        return np.array(self.recording_ids, np.str_)

    def shard_numbers(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number in `shards` of each row's shard."""
        return np.searchsorted(self.shard_starts, rows, side="right") - 1


def load_index(
    dataset: Dataset, split: str, file_format: str, features: Sequence[str], *, threads: int
) -> SplitIndex:
    """Reads the indexes by some threads; one Arrow table is in memory at a time.

    Raises `TrainingError` when they do not hold what the manifest says, `DamagedDataError` when
    one is not the file that was written, `UnreadableFileError` when one cannot be read.
    """
    shards = dataset.shards(split, file_format)
    windows = dataset.manifest.splits[split].windows
    starts = np.zeros(len(shards) + 1, np.int64)
    numbers: dict[str, int] = {}
    recordings = np.empty(windows, np.int32)
    first_frames = np.empty(windows, np.int64)
    valid_frames = np.empty(windows, np.int32)
    offsets = {name: np.empty(windows, np.int64) for name in features}
    checksums = {name: np.empty(windows, np.uint32) for name in features}
    row = end = 0
    for shard_number, table in enumerate(_tables(dataset, shards, threads)):
        end = row + len(table)
        if end > windows:
            break
        recordings[row:end] = _numbered(table["recording_id"], numbers)
        first_frames[row:end] = table["first_frame"]
        valid_frames[row:end] = table["valid_frames"]
        for name in features:
            _require_lengths(dataset, shards[shard_number], name, table[f"{name}_length"])
            offsets[name][row:end] = table[f"{name}_offset"]
            checksums[name][row:end] = table[f"{name}_crc32c"]
        row = starts[shard_number + 1] = end
    if end != windows:
        raise TrainingError(
            f"{dataset.storage.root}: the indexes of split {split!r} do not hold the "
            f"{windows} windows that dataset.json counts; {MAKE_AGAIN}"
        )
    return SplitIndex(
        shards=shards,
        shard_starts=starts,
        recording_ids=tuple(numbers),
        recordings=recordings,
        first_frames=first_frames,
        valid_frames=valid_frames,
        offsets=offsets,
        checksums=checksums,
        nbytes={name: dataset.config.specs()[name].nbytes for name in features},
    )


def _tables(dataset: Dataset, shards: Sequence[str], threads: int) -> Iterator[pa.Table]:
    """The index of each shard; the files of those that follow are read meanwhile."""
    specs, storage = dataset.config.specs(), dataset.storage
    names = [index_file(shard) for shard in shards]
    files = prefetch_map(functools.partial(_read, dataset), names, threads=threads)
    for name, data in zip(names, files, strict=True):
        yield ShardIndex.from_bytes(data, specs, where=storage.path(name)).table


def _read(dataset: Dataset, name: str) -> bytes:
    try:
        data = dataset.storage.read_bytes(name)
    except UnreadableFileError as error:
        message = f"{error}; {remedy_of(error)}"
        raise UnreadableFileError(message, error.reason, error.cause) from None
    entry = dataset.manifest.files[name]
    if (len(data), sha256(data)) != (entry.nbytes, entry.sha256):
        raise DamagedDataError(
            f"{dataset.storage.path(name)}: differs from its digest in dataset.json: it was edited "
            f"or damaged after it was written; {MAKE_AGAIN}"
        )
    return data


def _numbered(ids: pa.ChunkedArray, numbers: dict[str, int]) -> NDArray[np.int32]:
    """The ids as numbers; those not seen before are added to `numbers`."""
    encoded = ids.combine_chunks().dictionary_encode()
    codes = [numbers.setdefault(name, len(numbers)) for name in encoded.dictionary.to_pylist()]
    return np.array(codes, np.int32)[encoded.indices.to_numpy()]


def _require_lengths(dataset: Dataset, shard: str, name: str, lengths: Any) -> None:
    expected = dataset.config.specs()[name].nbytes
    if not np.all(np.asarray(lengths) == expected):
        raise TrainingError(
            f"{dataset.storage.path(shard)}: its index holds {name!r} of other lengths than the "
            f"{expected} bytes of dataset.json; {MAKE_AGAIN}"
        )
