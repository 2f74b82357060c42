"""Datasets as they were before some of their files were written."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection
from pathlib import Path

from schemas import Dataset
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES


def without_cards(dataset: Path, copy: Path) -> Path:
    """A copy of a dataset without files for the tools of others."""
    return without_files(dataset, copy, CARD_FILES)


def without_files(dataset: Path, copy: Path, names: Collection[str]) -> Path:
    """A copy of a dataset without some files, whose manifest does not list them."""
    shutil.copytree(dataset, copy)
    manifest = Dataset(copy).manifest
    files = {name: entry for name, entry in manifest.files.items() if name not in names}
    for name in set(manifest.files) - set(files):
        (copy / name).unlink()
    older = dataclasses.replace(manifest, files=files)
    (copy / MANIFEST_FILE).write_bytes(older.to_bytes())
    return copy
