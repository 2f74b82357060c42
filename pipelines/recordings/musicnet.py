"""The recordings of a folder in MusicNet's layout.

ROOT/train_data/ID.wav    ROOT/train_labels/ID.csv    ROOT/musicnet_metadata.csv
ROOT/test_data/ID.wav     ROOT/test_labels/ID.csv

Names of files and ids in tables are compared by `ids.id_key`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pipelines.errors import PipelineError, RejectedInputError
from pipelines.recordings.csv_tables import CsvTable, open_csv
from pipelines.recordings.ids import id_key
from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.rejects import Reject, RejectReason, RejectStage, printable
from schemas.tables import METADATA_COLUMNS, labels_file
from schemas.works import has_work

METADATA_FILE = "musicnet_metadata.csv"
GROUPS = ("train", "test")

_LONGEST_FILE_NAME = 255
"""Bytes; what local disks can name."""

_WORK_COLUMNS = METADATA_COLUMNS[:2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One recording, as listed: paths are relative to the input folder."""

    recording_id: str
    group: str
    audio_path: str
    labels_path: str | None
    metadata: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class _Metadata:
    """A table of metadata: each id's first data row, from 0, and what it says of the recording."""

    rows: Mapping[str, tuple[int, Mapping[str, str]]]
    tells_works: bool

    def of(self, recording_id: str) -> Mapping[str, str]:
        return self.rows.get(id_key(recording_id), (0, {}))[1]

    def notices(self, recording_id: str) -> list[Reject]:
        """What the table does not say of a recording."""
        found = self.rows.get(id_key(recording_id))
        if found is None:
            message = f"has no row for recording {recording_id}"
            return [_metadata_reject(RejectReason.METADATA_MISSING, message, recording_id)]
        position, values = found
        if not self.tells_works or has_work(values):
            return []
        lacking = [name for name in _WORK_COLUMNS if not values.get(name, "").strip()]
        message = (
            f"data row {position} gives no {' and no '.join(lacking)}: the recording counts as a "
            "work of its own"
        )
        reason = RejectReason.METADATA_INCOMPLETE
        return [_metadata_reject(reason, message, recording_id, position)]


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
    labels = {group: _label_files(storage, group) for group in GROUPS}
    metadata, rejects = _read_metadata(storage)
    ids = Counter(id_key(_stem(name)) for _, name in audio)
    sources = []
    for group, name in audio:
        recording_id = _stem(name)
        own_labels = labels[group].get(id_key(recording_id), [])
        unusable = _why_unusable(recording_id, ids, own_labels)
        if unusable:
            reason, message = unusable
            rejects.append(_listing_reject(name, reason, message))
            continue
        if metadata is not None:
            rejects += metadata.notices(recording_id)
        sources.append(
            Source(
                recording_id=recording_id,
                group=group,
                audio_path=name,
                labels_path=own_labels[0] if own_labels else None,
                metadata={} if metadata is None else metadata.of(recording_id),
            )
        )
    for group in GROUPS:
        for name in listed[group][1]:
            if _is_audio(name, group):
                message = "is a folder, not a recording; move it elsewhere"
                rejects.append(_listing_reject(name, RejectReason.IS_FOLDER, message))
    sources.sort(key=lambda source: source.recording_id.encode())
    return sources, rejects


def _label_files(storage: Storage, group: str) -> dict[str, list[str]]:
    """The label files of a group, by the key of the id that each is named after."""
    found = defaultdict(list)
    for name in storage.list_folder(f"{group}_labels")[0]:
        if name.lower().endswith(".csv"):
            found[id_key(_stem(name))].append(name)
    return found


def _why_unusable(
    recording_id: str, ids: Mapping[str, int], labels: Sequence[str]
) -> tuple[RejectReason, str] | None:
    """Why no recording can have this id, or these labels: a reason and a message."""
    try:
        recording_id.encode()
    except UnicodeEncodeError:
        return RejectReason.NAME_NOT_UTF8, "its name is not UTF-8; rename it"
    if len(labels_file(recording_id).rpartition("/")[2].encode()) > _LONGEST_FILE_NAME:
        message = "its name is too long to name a label file after it; shorten it"
        return RejectReason.NAME_TOO_LONG, message
    if ids[id_key(recording_id)] > 1:
        message = (
            "another recording has the same id, for which neither case nor the Unicode form "
            "counts; rename one of them"
        )
        return RejectReason.DUPLICATE_ID, message
    if len(labels) > 1:
        message = f"has several label files, {' and '.join(labels)}; keep one of them"
        return RejectReason.DUPLICATE_LABELS, message
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
        return "no such folder; check its name"
    for folder in storage.list_folder()[1]:
        if storage.exists(f"{folder}/train_data"):
            return f"the recordings lie one folder deeper: use input_root={storage.path(folder)!r}"
    return (
        "holds no train_data/*.wav or test_data/*.wav; the input must be the folder in which "
        "MusicNet's train_data and test_data lie"
    )


def _is_audio(name: str, group: str) -> bool:
    folder, _, base = name.rpartition("/")
    return folder == f"{group}_data" and base.lower().endswith(".wav") and base[0] != "."


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _read_metadata(storage: Storage) -> tuple[_Metadata | None, list[Reject]]:
    """The table of metadata, and what is odd about it; None where it cannot be read."""
    rejects: list[Reject] = []
    try:
        table = open_csv(storage.read_bytes(METADATA_FILE), where=METADATA_FILE)
        return _metadata_of(table, rejects), rejects
    except UnreadableFileError as error:
        reason = RejectReason.of_file(RejectStage.METADATA, error.reason)
        return None, [*rejects, _metadata_reject(reason, error.cause)]


def _metadata_of(table: CsvTable, rejects: list[Reject]) -> _Metadata:
    """Reads a table of metadata, and adds what is odd about it to `rejects`."""
    if "id" not in table.columns:
        raise RejectedInputError.of(METADATA_FILE, "malformed", "has no column named id")
    lacking = [name for name in _WORK_COLUMNS if name not in table.columns]
    if lacking:
        text = f"has no column named {' or '.join(lacking)}, which tell works apart"
        rejects.append(_metadata_reject(RejectReason.METADATA_INCOMPLETE, text))
    by_id: dict[str, tuple[int, Mapping[str, str]]] = {}
    for position, (_, fields) in enumerate(table.rows):
        row = dict(zip(table.columns, fields, strict=False))
        recording_id = row.get("id", "").strip()
        if not recording_id:
            continue
        key = id_key(recording_id)
        if key in by_id:
            message = f"data row {position} is another of its id; the first one counts"
            reason = RejectReason.METADATA_DUPLICATE
            rejects.append(_metadata_reject(reason, message, recording_id, position))
            continue
        by_id[key] = position, {name: row[name] for name in METADATA_COLUMNS if row.get(name)}
    return _Metadata(by_id, not lacking)
