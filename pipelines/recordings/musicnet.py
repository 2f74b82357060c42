"""The recordings of a folder in MusicNet's layout.

ROOT/train_data/ID.wav    ROOT/train_labels/ID.csv    ROOT/musicnet_metadata.csv
ROOT/test_data/ID.wav     ROOT/test_labels/ID.csv
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping

from pipelines.errors import PipelineError
from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.rejects import Reject, RejectReason, RejectStage, printable
from schemas.tables import METADATA_COLUMNS, labels_file

METADATA_FILE = "musicnet_metadata.csv"
GROUPS = ("train", "test")

_LONGEST_FILE_NAME = 255
"""Bytes; what local disks can name."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One recording, as listed: paths are relative to the input folder."""

    recording_id: str
    group: str
    audio_path: str
    labels_path: str | None
    metadata: Mapping[str, str]


def list_sources(root: str) -> tuple[list[Source], list[Reject]]:
    """All recordings below `root`, sorted by id (bytewise), and what cannot be one of them.

    Raises `PipelineError` where `root` is not in MusicNet's layout.
    """
    storage = Storage(root)
    listed = {group: storage.list_folder(f"{group}_data") for group in GROUPS}
    audio = [
        (group, name) for group in GROUPS for name in listed[group][0] if _is_audio(name, group)
    ]
    if not audio:
        raise PipelineError(f"{root}: {_why_no_audio(storage)}")
    present = {name for group in GROUPS for name in storage.list_folder(f"{group}_labels")[0]}
    metadata, rejects = _read_metadata(storage)
    ids = Counter(_stem(name) for _, name in audio)
    sources = []
    for group, name in audio:
        recording_id = _stem(name)
        unusable = _why_unusable(recording_id, ids)
        if unusable:
            reason, message = unusable
            rejects.append(_listing_reject(name, reason, message))
            continue
        labels = f"{group}_labels/{recording_id}.csv"
        found = metadata and metadata.get(recording_id)
        if found is None and metadata is not None:
            message = f"has no row for recording {recording_id}"
            rejects.append(_metadata_reject(RejectReason.METADATA_MISSING, message, recording_id))
        sources.append(
            Source(recording_id, group, name, labels if labels in present else None, found or {})
        )
    for group in GROUPS:
        for name in listed[group][1]:
            if _is_audio(name, group):
                message = "is a folder, not a recording; move it elsewhere"
                rejects.append(_listing_reject(name, RejectReason.IS_FOLDER, message))
    sources.sort(key=lambda source: source.recording_id.encode())
    return sources, rejects


def _why_unusable(recording_id: str, ids: Mapping[str, int]) -> tuple[RejectReason, str] | None:
    """Why no recording can have this id: a reason and a message."""
    try:
        recording_id.encode()
    except UnicodeEncodeError:
        return RejectReason.NAME_NOT_UTF8, "its name is not UTF-8; rename it"
    if len(labels_file(recording_id).rpartition("/")[2].encode()) > _LONGEST_FILE_NAME:
        message = "its name is too long to name a label file after it; shorten it"
        return RejectReason.NAME_TOO_LONG, message
    if ids[recording_id] > 1:
        return RejectReason.DUPLICATE_ID, "another recording has the same id; rename one of them"
    return None


def _listing_reject(name: str, reason: RejectReason, message: str) -> Reject:
    shown = printable(name)
    return Reject(
        recording_id=_stem(shown),
        stage=RejectStage.LIST,
        reason=reason,
        message=f"{shown}: {message}",
    )


def _metadata_reject(
    reason: RejectReason, message: str, recording_id: str = "", position: int | None = None
) -> Reject:
    return Reject(
        recording_id=recording_id,
        stage=RejectStage.METADATA,
        reason=reason,
        position=position,
        message=f"{METADATA_FILE}: {message}",
    )


def _why_no_audio(storage: Storage) -> str:
    if not storage.exists():
        return "no such folder"
    for folder in storage.list_folder()[1]:
        if storage.exists(f"{folder}/train_data"):
            return f"the recordings lie one folder deeper: use --input {storage.path(folder)}"
    return (
        "holds no train_data/*.wav or test_data/*.wav; --input must name the folder in which "
        "MusicNet's train_data and test_data lie"
    )


def _is_audio(name: str, group: str) -> bool:
    folder, _, base = name.rpartition("/")
    return folder == f"{group}_data" and base.lower().endswith(".wav") and base[0] != "."


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _read_metadata(storage: Storage) -> tuple[dict[str, dict[str, str]] | None, list[Reject]]:
    """The metadata's rows by id; a file that cannot be read is one reject, and None."""
    rejects = []

    by_id: dict[str, dict[str, str]] = {}
    try:
        data = storage.read_bytes(METADATA_FILE)
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        if "id" not in (rows.fieldnames or ()):
            raise ValueError("it has no column named id")
        lacking = [name for name in METADATA_COLUMNS[:2] if name not in (rows.fieldnames or ())]
        if lacking:
            text = f"has no column named {' or '.join(lacking)}, which tell works apart"
            rejects.append(_metadata_reject(RejectReason.METADATA_INCOMPLETE, text))
        for position, row in enumerate(rows):
            recording_id = row["id"]
            if not recording_id:
                continue
            if recording_id in by_id:
                message = f"data row {position} is another of its id; the first one counts"
                reason = RejectReason.METADATA_DUPLICATE
                rejects.append(_metadata_reject(reason, message, recording_id, position))
                continue
            by_id[recording_id] = {name: row[name] for name in METADATA_COLUMNS if row.get(name)}
    except UnreadableFileError as error:
        reason = RejectReason.of_file(RejectStage.METADATA, error.reason)
        return None, [*rejects, _metadata_reject(reason, error.cause)]
    except (ValueError, csv.Error) as error:
        message = f"not a table of metadata: {error}"
        return None, [*rejects, _metadata_reject(RejectReason.METADATA_MALFORMED, message)]
    return by_id, rejects
