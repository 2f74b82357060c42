"""How many recordings play works that training recordings play too."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from schemas import Dataset
from schemas.works import has_work, work_of


@dataclasses.dataclass(frozen=True)
class SharedWorks:
    """Recordings that play a work of the training split, that do not, and whose work is unknown.

    `unknown` are those without metadata, and, where training recordings lack them, all that play
    no work known to be of the training split.
    """

    shared: int
    not_shared: int
    unknown: int

    def sentence(self) -> str:
        total = self.shared + self.not_shared + self.unknown
        text = f"{self.shared} of {total} recordings share a work with training recordings"
        if self.unknown:
            text += f", {self.not_shared} do not, and of {self.unknown} it is unknown"
        return text


def works_shared_with_training(dataset: Dataset, recording_ids: Collection[str]) -> SharedWorks:
    """Counts those of `recording_ids` that are not training recordings themselves."""
    columns = ["recording_id", "split", "composer", "composition"]
    rows = dataset.recordings().select(columns).to_pylist()
    training = [row for row in rows if row["split"] == "train"]
    works = {work_of(row) for row in training if has_work(row)}
    complete = all(map(has_work, training))
    counts = {"shared": 0, "not_shared": 0, "unknown": 0}
    for row in rows:
        if row["recording_id"] not in recording_ids or row["split"] == "train":
            continue
        if has_work(row) and work_of(row) in works:
            counts["shared"] += 1
        elif has_work(row) and complete:
            counts["not_shared"] += 1
        else:
            counts["unknown"] += 1
    return SharedWorks(**counts)


def works_by_recording(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """The work that each recording plays, or the recording itself where nobody knows."""
    return {name: work_of(row) for name, row in _rows(dataset).items()}


def works_of(dataset: Dataset, recording_ids: Sequence[str]) -> list[tuple[str, ...] | None]:
    """The work that each recording plays; None where the metadata do not tell."""
    rows = _rows(dataset)
    found = (rows[name] for name in recording_ids)
    return [work_of(row) if has_work(row) else None for row in found]


def _rows(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What the metadata tell of each recording's work, by recording."""
    columns = ["recording_id", "composer", "composition"]
    rows = dataset.recordings().select(columns).to_pylist()
    return {row["recording_id"]: row for row in rows}
