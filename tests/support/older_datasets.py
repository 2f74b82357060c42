"""Datasets as they were before there were files for the tools of others."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from schemas import Dataset
from schemas.manifest import MANIFEST_FILE
from schemas.names import CARD_FILES


def without_cards(dataset: Path, copy: Path) -> Path:
    """A copy of a dataset without its cards, whose manifest does not list them."""
    shutil.copytree(dataset, copy)
    manifest = Dataset(copy).manifest
    files = {name: entry for name, entry in manifest.files.items() if name not in CARD_FILES}
    for name in set(manifest.files) - set(files):
        (copy / name).unlink()
    older = dataclasses.replace(manifest, files=files)
    (copy / MANIFEST_FILE).write_bytes(older.to_bytes())
    return copy
