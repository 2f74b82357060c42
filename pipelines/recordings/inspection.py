"""What one recording is: its header, its labels and whether they can be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipelines.audio.decoded import DecodedRecordings
from pipelines.audio.header import AudioHeader, suffix_of
from pipelines.audio.readers import read_audio_header
from pipelines.recordings.input_file import InputFile
from pipelines.recordings.labels import degenerate_count, odd_notes, parse_labels
from pipelines.recordings.midi_labels import MIDI_SUFFIXES, parse_midi_labels
from pipelines.recordings.source import Source
from schemas import FeatureConfig, Storage
from schemas.errors import UnreadableFileError
from schemas.manifest import FileEntry
from schemas.rejects import Reject, RejectReason, RejectStage
from schemas.tables import table_bytes


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """A recording's row for `tables.RECORDINGS`, without its split and what shards will count.

    `version` changes when the audio file does; `header` is that of its audio, None where it is
    rejected; `labels` is the recording's label file in the dataset, None where it has none.
    `inputs` are the files that were read to their end.
    """

    source: Source
    version: str
    header: AudioHeader | None
    row: Mapping[str, Any]
    labels: FileEntry | None
    inputs: tuple[InputFile, ...]
    rejects: tuple[Reject, ...]

    @property
    def accepted(self) -> bool:
        return self.row["status"] == "ok"


def inspect_recording(
    source: Source,
    input_root: str,
    config: FeatureConfig,
    decoded: DecodedRecordings | None = None,
) -> tuple[Inspected, bytes | None]:
    """Reads the header and the labels of a recording; also returns its `labels/ID.parquet`.

    A recording that has to be decoded as a whole is kept in `decoded`. Bad input is a reject in the
    result, never an exception.
    """
    storage = Storage(input_root)
    rejects: list[Reject] = []

    def reject(
        stage: RejectStage, reason: RejectReason, message: str, position: int | None = None
    ) -> None:
        rejects.append(
            Reject(
                recording_id=source.recording_id,
                stage=stage,
                reason=reason,
                position=position,
                message=message,
            )
        )

    def reject_file(stage: RejectStage, path: str, error: UnreadableFileError) -> None:
        # Where the input lies must not change a byte of the dataset.
        reject(stage, RejectReason.of_file(stage, error.reason), f"{path}: {error.cause}")

    header = None
    facts: dict[str, Any] = {}
    version = ""
    try:
        version = storage.version(source.audio_path)
        header = read_audio_header(storage, source.audio_path, decoded)
        facts = _audio_facts(header, config)
    except UnreadableFileError as error:
        reject_file(RejectStage.AUDIO, source.audio_path, error)
    table = None
    inputs = [source.metadata_file] if source.metadata_file else []
    if source.labels_path:
        try:
            data = storage.read_bytes(source.labels_path)
            inputs.append(InputFile.of(source.labels_path, data))
            table, unknown = _parsed(data, source.labels_path)
        except UnreadableFileError as error:
            reject_file(RejectStage.LABELS, source.labels_path, error)
    elif config.has_notes:
        message = f"{source.audio_path}: has no label file, which the features chosen need"
        reject(RejectStage.LABELS, RejectReason.LABELS_MISSING, message)
    labels = None
    accepted = bool(facts) and not (config.has_notes and table is None)
    if accepted and table is not None:
        facts |= {"notes": len(table), "degenerate_notes": degenerate_count(table)}
        if unknown:
            message = f"{source.labels_path}: columns of other names are left out: "
            reason = RejectReason.LABELS_UNKNOWN_COLUMNS
            reject(RejectStage.LABELS, reason, message + ", ".join(unknown))
        for reason, message, position in odd_notes(table, config, facts["frames"]):
            reject(RejectStage.LABELS, reason, f"{source.labels_path}: {message}", position)
        labels = table_bytes(table)
    row = {
        "recording_id": source.recording_id,
        "status": "ok" if accepted else "rejected",
        "path": source.audio_path,
        **source.metadata,
        **facts,
    }
    inspected = Inspected(
        source=source,
        version=version,
        header=header,
        row=row,
        labels=FileEntry.of(labels) if labels else None,
        inputs=tuple(inputs),
        rejects=tuple(rejects),
    )
    return inspected, labels


def _parsed(data: bytes, path: str) -> tuple[pa.Table, list[str]]:
    if suffix_of(path) in MIDI_SUFFIXES:
        return parse_midi_labels(data, where=path), []
    return parse_labels(data, where=path)


def _audio_facts(header: AudioHeader, config: FeatureConfig) -> dict[str, Any]:
    frames = config.frame_count(config.resampled_length(header.samples, header.sample_rate))
    return {
        "samples": header.samples,
        "sample_rate": header.sample_rate,
        "channels": header.channels,
        "frames": frames,
        "windows": config.window_count(frames),
    }
