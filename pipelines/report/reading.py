"""The windows of a dataset, one after the other, and which of them a page shows."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

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


def spread(counts: Mapping[str, int], most: int) -> dict[str, tuple[int, ...]]:
    """Positions, at most `most` in all, evenly over the splits and over each split.

    `counts` are the windows of each split; those that a small split lacks go to the others.

    Examples:
        >>> spread({"train": 100, "validation": 0, "test": 2}, 6)
        {'train': (0, 33, 66, 99), 'validation': (), 'test': (0, 1)}
    """
    taken = dict.fromkeys(counts, 0)
    for _ in range(min(most, sum(counts.values()))):
        open_splits = [name for name, count in counts.items() if taken[name] < count]
        taken[min(open_splits, key=taken.__getitem__)] += 1
    return {
        name: tuple(np.linspace(0, count - 1, taken[name]).astype(int).tolist())
        for name, count in counts.items()
    }
