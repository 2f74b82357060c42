"""What the files for other tools are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from schemas import Manifest
from schemas.manifest import FileEntry
from schemas.names import CARD_FILES


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Subject:
    """A dataset, as far as its description depends on it.

    Attributes:
        manifest: What `dataset.json` says; what it says of cards is not used.
        recordings: The rows of `tables.RECORDINGS`.
        shard_windows: The number of windows in each shard of a split, by split; equal for all
            formats.
    """

    manifest: Manifest
    recordings: Sequence[Mapping[str, Any]]
    shard_windows: Mapping[str, Sequence[int]]

    @property
    def files(self) -> dict[str, FileEntry]:
        """Every file of the dataset but `dataset.json` and the cards, sorted by name."""
        files = self.manifest.files
        return {name: files[name] for name in sorted(files) if name not in CARD_FILES}
