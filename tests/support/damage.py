"""Copies of datasets with wrong bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from schemas import Dataset


def damaged_copy(
    root: Path, folder: Path, *, shard: int, window: int, feature: str
) -> tuple[Dataset, str, dict[str, Any]]:
    """A copy of a dataset in which a feature of one training window begins with wrong bytes.

    Also the name of the shard, in the first format, and the window's row of its index.
    """
    dataset = Dataset(shutil.copytree(root, folder))
    name = dataset.shards("train", dataset.manifest.formats[0])[shard]
    row = dataset.index(name).table.to_pylist()[window]
    with (folder / name).open("r+b") as file:
        file.seek(row[f"{feature}_offset"])
        file.write(b"\xff\xff")
    return dataset, name, row
