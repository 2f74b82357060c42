"""The windows of a split in file order, from which the peers' copies are made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from schemas import Dataset, Window
from schemas.windows import read_window


def shard_windows(dataset: Dataset, shard: str) -> Iterator[Window]:
    with contextlib.closing(dataset.storage.open_ranges(shard)) as file:
        for row in dataset.index(shard).table.to_pylist():
            yield read_window(file, row, dataset.config.specs(), where=shard)
