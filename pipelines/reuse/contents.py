"""What recordings consist of, by which it is known whether they changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from pipelines.recordings.input_file import InputFile
from pipelines.recordings.inspection import Inspected
from schemas import Dataset
from schemas.manifest import FileEntry
from schemas.tables import labels_file


@dataclasses.dataclass(frozen=True)
class Content:
    """All that the windows of a recording are made of.

    `audio` is None where it cannot be read to its end; `labels` are those in the dataset, None
    where there are none, or where windows have no notes.
    """

    audio: InputFile | None
    labels: FileEntry | None

    def is_that_of(self, other: Content | None) -> bool:
        """Whether both are known to be the same."""
        return self.audio is not None and self == other


def contents_of_dataset(dataset: Dataset) -> dict[str, Content]:
    """Of each recording in a split, by its id.

    Raises `DatasetError` where a table is missing or damaged, or an older version made the dataset.
    """
    inputs = {row["path"]: InputFile(**row) for row in dataset.inputs().to_pylist()}
    files, has_notes = dataset.manifest.files, dataset.config.has_notes
    contents = {}
    for row in dataset.recordings().to_pylist():
        if row["split"]:
            labels = files.get(labels_file(row["recording_id"])) if has_notes else None
            contents[row["recording_id"]] = Content(inputs.get(row["path"]), labels)
    return contents


def contents_of_inspected(inspected: Iterable[Inspected], has_notes: bool) -> dict[str, Content]:
    """Of each recording that a run will use, by its id; `has_notes` is that of its features."""
    contents = {}
    for each in inspected:
        if each.accepted:
            path = each.source.audio_path
            audio = next((file for file in each.inputs if file.path == path), None)
            labels = each.labels if has_notes else None
            contents[each.source.recording_id] = Content(audio, labels)
    return contents


def unchanged_ids(now: Mapping[str, Content], earlier: Mapping[str, Content]) -> set[str]:
    """The ids of the recordings that are in both, and are the same."""
    return {name for name, content in now.items() if content.is_that_of(earlier.get(name))}
