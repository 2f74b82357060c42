"""A recording as it is listed, and what is wrong with names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipelines.audio.header import OTHER_SUFFIXES, SUFFIXES, suffix_of
from pipelines.recordings.input_file import InputFile
from schemas.rejects import Reject, RejectReason, RejectStage, printable
from schemas.tables import labels_file

_LONGEST_FILE_NAME = 255
"""Bytes; what local disks can name."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One recording, as listed: paths are relative to the input folder.

    Attributes:
        recording_id: Its id.
        group: "train" or "test" where the layout of the input says so, and empty elsewhere.
        audio_path: Its audio file.
        labels_path: Its label file; None where it has none.
        metadata: What the input's table says of it, by column, such as "composer".
        metadata_file: What that table was; None where there is none.

    Examples:
        >>> import apache_beam as beam
        >>> from pipelines import ReadRecordings, Source
        >>> def composer(recording: Source) -> str:
        ...     return recording.metadata["composer"]
        >>> with beam.Pipeline() as pipeline:
        ...     listed = pipeline | ReadRecordings("musicnet")
        ...     _ = listed.recordings | beam.Map(composer) | beam.Distinct() | beam.Map(print)
        Composer
    """

    recording_id: str
    group: str
    audio_path: str
    labels_path: str | None
    metadata: Mapping[str, str]
    metadata_file: InputFile | None = None


def is_audio(name: str) -> bool:
    """Whether a file's name is that of a recording that can be read."""
    return suffix_of(name) in SUFFIXES and _base(name)[0] != "."


def is_other_audio(name: str) -> bool:
    """Whether a file's name is that of a recording in a format that is not read."""
    return suffix_of(name) in OTHER_SUFFIXES and _base(name)[0] != "."


def stem(name: str) -> str:
    """A file's name without its folder and its ending."""
    return _base(name).rpartition(".")[0]


def why_unusable(
    name: str, recording_id: str, count: int, labels: Sequence[str]
) -> tuple[RejectReason, str] | None:
    """Why a file cannot be a recording of this id with these labels: a reason and a message.

    `count` recordings have this id.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        message = "its name, or that of a folder above it, is not UTF-8; rename it"
        return RejectReason.NAME_NOT_UTF8, message
    if len(labels_file(recording_id).rpartition("/")[2].encode()) > _LONGEST_FILE_NAME:
        message = "its name is too long to name a label file after it; shorten it"
        return RejectReason.NAME_TOO_LONG, message
    if count > 1:
        message = (
            "another recording has the same id, for which neither case nor the Unicode form "
            "counts; rename one of them"
        )
        return RejectReason.DUPLICATE_ID, message
    if len(labels) > 1:
        message = f"has several label files, {' and '.join(labels)}; keep one of them"
        return RejectReason.DUPLICATE_LABELS, message
    return None


def listing_reject(
    name: str, reason: RejectReason, message: str, recording_id: str | None = None
) -> Reject:
    """The reject of a file by its name, after which the recording is named unless it has an id."""
    shown = printable(name)
    return Reject(
        recording_id=stem(shown) if recording_id is None else printable(recording_id),
        stage=RejectStage.LIST,
        reason=reason,
        message=f"{shown}: {message}",
    )


def other_audio_reject(name: str, recording_id: str | None = None) -> Reject:
    """The reject of a recording in a format that is not read."""
    message = f"{suffix_of(name)} files are not read; convert it: ffmpeg -i FILE FILE.flac"
    return listing_reject(name, RejectReason.AUDIO_FORMAT, message, recording_id)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
