"""The table of metadata that MusicNet comes with: the works that recordings play, and more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pipelines.errors import RejectedInputError
from pipelines.recordings.csv_tables import CsvTable, open_csv
from pipelines.recordings.ids import id_key
from pipelines.recordings.input_file import InputFile
from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.rejects import Reject, RejectReason, RejectStage
from schemas.tables import METADATA_COLUMNS
from schemas.works import has_work

METADATA_FILE = "musicnet_metadata.csv"

_WORK_COLUMNS = METADATA_COLUMNS[:2]


@dataclasses.dataclass(frozen=True)
class Metadata:
    """A table of metadata: each id's first data row, from 0, and what it says of the recording.

    `file` is what the table's own file was.
    """

    rows: Mapping[str, tuple[int, Mapping[str, str]]]
    tells_works: bool
    file: InputFile

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


def read_metadata(
    storage: Storage, name: str = METADATA_FILE
) -> tuple[Metadata | None, list[Reject]]:
    """The table of metadata, and what is odd about it; None where it cannot be read."""
    rejects: list[Reject] = []
    try:
        data = storage.read_bytes(name)
        table = open_csv(data, where=METADATA_FILE)
        return _metadata_of(table, InputFile.of(name, data), rejects), rejects
    except UnreadableFileError as error:
        reason = RejectReason.of_file(RejectStage.METADATA, error.reason)
        return None, [*rejects, _metadata_reject(reason, error.cause)]


def _metadata_of(table: CsvTable, file: InputFile, rejects: list[Reject]) -> Metadata:
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
    return Metadata(by_id, not lacking, file)


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
