"""What one recording is: its header, its labels and whether they can be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.audio import AudioReader
from pipelines.errors import PipelineError
from pipelines.labels import degenerate_count, parse_labels, pitches_out_of_range
from pipelines.sources import Source
from pipelines.work import read_claim
from schemas import DatasetError, FeatureConfig, Storage
from schemas.checksums import sha256
from schemas.manifest import FileEntry
from schemas.shards import Reject
from schemas.tables import labels_file, table_bytes


@dataclasses.dataclass(frozen=True)
class Inspected:
    """A recording's row for `tables.RECORDINGS`, without its split and what shards will count.

    `version` changes when the audio file does; `labels` is the recording's label file in the
    dataset, None where it has none.
    """

    source: Source
    version: str
    row: Mapping[str, Any]
    labels: FileEntry | None
    rejects: tuple[Reject, ...]

    @property
    def accepted(self) -> bool:
        return self.row["status"] == "ok"


def inspect_recording(
    source: Source, input_root: str, config: FeatureConfig
) -> tuple[Inspected, bytes | None]:
    """Reads the header and the labels of a recording; also returns its `labels/ID.parquet`.

    Bad input is a reject in the result, never an exception.
    """
    storage = Storage(input_root)
    row: dict[str, Any] = {
        "recording_id": source.recording_id,
        "status": "rejected",
        "path": source.audio_path,
        **source.metadata,
    }
    rejects: list[Reject] = []

    def reject(stage: str, reason: str, message: object, position: int | None = None) -> None:
        # Where the input lies must not change a byte of the dataset.
        text = str(message).replace(storage.path("x")[:-1], "")
        rejects.append(Reject(source.recording_id, stage, reason, position, text))

    version = ""
    try:
        version = storage.version(source.audio_path)
        row |= _audio_facts(storage, source, config)
    except (PipelineError, DatasetError) as error:
        reject("audio", "audio_unreadable", error)
    else:
        if row["samples"] == 0:
            reject("audio", "audio_empty", f"{source.audio_path}: holds no samples")
    table, labels = None, None
    if source.labels_path:
        try:
            data = storage.read_bytes(source.labels_path)
            table = parse_labels(data, where=source.labels_path)
        except (PipelineError, DatasetError) as error:
            reject("labels", "labels_unreadable", error)
    elif config.has_notes:
        message = f"{source.audio_path}: has no label file, which the features chosen need"
        reject("labels", "labels_missing", message)
    if not rejects:
        row["status"] = "ok"
        if table is not None:
            for position in pitches_out_of_range(table):
                message = f"{source.labels_path}: data row {position}: not a MIDI note number"
                reject("labels", "note_out_of_range", message, position)
            row["notes"] = len(table)
            row["degenerate_notes"] = degenerate_count(table)
            labels = table_bytes(table)
    entry = labels and FileEntry(sha256(labels), len(labels))
    return Inspected(source, version, row, entry or None, tuple(rejects)), labels


def inspect_and_keep(
    source: Source, input_root: str, build_root: str, config: FeatureConfig
) -> Inspected:
    """As `inspect_recording`, and writes the labels into the folder in which the dataset is built.

    Raises `PipelineError` where another plan's work lies there that was made from other labels.
    """
    inspected, labels = inspect_recording(source, input_root, config)
    if labels is None:
        return inspected
    output = Storage(build_root)
    name = labels_file(source.recording_id)
    if output.exists(name):
        if output.read_bytes(name) == labels:
            return inspected
        if read_claim(output) is not None:
            raise PipelineError(
                f"{output.path(name)}: was written from other labels than those of this run; "
                "use --overwrite, or another --output"
            )
    output.write_bytes(name, labels)
    return inspected


def _audio_facts(storage: Storage, source: Source, config: FeatureConfig) -> dict[str, Any]:
    with storage.open(source.audio_path) as file:
        reader = AudioReader(file, where=source.audio_path)
        header = reader.header
        reader.close()
    frames = config.frame_count(config.resampled_length(header.samples, header.sample_rate))
    return {**dataclasses.asdict(header), "frames": frames, "windows": config.window_count(frames)}
