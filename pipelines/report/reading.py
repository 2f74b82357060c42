"""The windows of a dataset, one after the other, and which of them a page shows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.concurrency import prefetch_map
from schemas import Dataset, Window
from schemas.errors import DamagedDataError
from schemas.windows import read_window

_THREADS = 4
"""A store answers each read with a delay; at most twice as many windows are in memory."""


def read_split(
    dataset: Dataset, split: str, *, features: Collection[str], whole: Collection[int]
) -> Iterator[tuple[int, Window | DamagedDataError]]:
    """The position, from 0, and the window of all positions of a split, in file order.

    A window holds those of `features` that the dataset has, and all that it has at the positions
    `whole`. What is wrong with a damaged one takes its place.
    """
    specs = dataset.config.specs()
    few = {name: spec for name, spec in specs.items() if name in features}
    first = 0
    for shard in dataset.shards(split, dataset.manifest.formats[0]):
        rows = dataset.index(shard).table.to_pylist()
        with contextlib.closing(dataset.storage.open_ranges(shard)) as file:

            def read(
                item: tuple[int, dict[str, Any]], file: Any = file, shard: str = shard
            ) -> tuple[int, Window | DamagedDataError]:
                position, row = item
                wanted = specs if position in whole else few
                try:
                    return position, read_window(file, row, wanted, where=shard)
                except DamagedDataError as error:
                    return position, error

            yield from prefetch_map(read, enumerate(rows, start=first), threads=_THREADS)
        first += len(rows)


def shares(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """How many windows of each split are shown: `most` in all, as evenly as the splits allow.

    `counts` are the windows of each split; those that a small split lacks go to the others.

    Examples:
        >>> shares({"train": 100, "validation": 0, "test": 2}, 6)
        {'train': 4, 'validation': 0, 'test': 2}
    """
    taken = dict.fromkeys(counts, 0)
    for _ in range(min(most, sum(counts.values()))):
        unfilled = [name for name, count in counts.items() if taken[name] < count]
        taken[min(unfilled, key=taken.__getitem__)] += 1
    return taken


def spread(valid_frames: NDArray[np.integer[Any]], count: int, least: int) -> tuple[int, ...]:
    """Positions of `count` windows, at most all: one in each of as many equal parts of a split.

    It is the first one with at least `least` of `valid_frames` [windows], or the longest of its
    part where none has.

    Examples:
        >>> spread(np.array([9, 2, 9, 9, 1, 3]), 3, 5)
        (0, 2, 5)
    """
    bounds = [len(valid_frames) * part // count for part in range(count + 1)] if count else []
    parts = itertools.pairwise(bounds)
    # The first of equals, as `argmax` has it.
    return tuple(
        first + int(np.minimum(valid_frames[first:end], least).argmax()) for first, end in parts
    )


def valid_frames(dataset: Dataset, split: str) -> NDArray[np.integer[Any]]:
    """The valid frames of each window of a split, in file order: int32 [windows]."""
    shards = dataset.shards(split, dataset.manifest.formats[0])
    columns = [dataset.index(shard).table["valid_frames"].to_numpy() for shard in shards]
    return np.concatenate([np.zeros(0, np.int32), *columns])
