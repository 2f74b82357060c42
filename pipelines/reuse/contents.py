"""What recordings consist of, by which it is known whether they changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.audio.header import suffix_of
from pipelines.recordings.input_file import InputFile
from pipelines.recordings.inspection import Inspected
from schemas import Dataset, FeatureConfig
from schemas.manifest import FileEntry
from schemas.tables import labels_file


@dataclasses.dataclass(frozen=True)
class Content:
    """All that the windows of a recording are made of, wherever its files lie.

    `audio` is the ending, the size and the digest of the file, and `header` its samples, sample
    rate and channels; `labels` are those in the dataset, None where there are none, or where
    windows have no notes.
    """

    audio: tuple[str, int, str]
    header: tuple[int, int, int]
    labels: FileEntry | None


def contents_of_dataset(dataset: Dataset, rows: Iterable[Mapping[str, Any]]) -> dict[str, Content]:
    """Of each recording in a split whose audio has a digest, by its id; `rows` are all recordings.

    Raises `DatasetError` where a table is missing or damaged, or an older version made the dataset.
    """
    inputs = (InputFile(**row) for row in dataset.inputs(sound=True).to_pylist())
    by_path = {file.path: file for file in inputs}
    files = dataset.manifest.files
    contents = {}
    for row in rows:
        audio = by_path.get(row["path"])
        if row["split"] and audio:
            labels = files.get(labels_file(row["recording_id"]))
            contents[row["recording_id"]] = _content(row, audio, labels, dataset.config)
    return contents


def contents_of_inspected(
    inspected: Iterable[Inspected], config: FeatureConfig
) -> dict[str, Content]:
    """Of each recording that a run of `config` will use whose audio has a digest, by its id."""
    contents = {}
    for each in inspected:
        path = each.source.audio_path
        audio = next((file for file in each.inputs if file.path == path), None)
        if each.accepted and audio:
            content = _content(each.row, audio, each.labels, config)
            contents[each.source.recording_id] = content
    return contents


def _content(
    row: Mapping[str, Any], audio: InputFile, labels: FileEntry | None, config: FeatureConfig
) -> Content:
    return Content(
        audio=(suffix_of(audio.path), audio.nbytes, audio.xxh3_128),
        header=(row["samples"], row["sample_rate"], row["channels"]),
        labels=labels if config.has_notes else None,
    )


def unchanged_ids(now: Mapping[str, Content], earlier: Mapping[str, Content]) -> set[str]:
    """The ids of the recordings that are in both, and are the same."""
    return {name for name, content in now.items() if earlier.get(name) == content}
