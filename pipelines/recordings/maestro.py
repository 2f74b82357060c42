"""The table of metadata that MAESTRO comes with (Hawthorne et al., ICLR 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipelines.recordings.csv_tables import open_csv
from pipelines.recordings.input_file import InputFile
from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.rejects import printable

_COLUMNS = {"audio_filename", "canonical_composer", "canonical_title", "split"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaestroTable:
    """What the table says of audio files, by their names; all is empty where there is none.

    `groups` are train or test: recordings for validation are drawn from those of train, as they
    are for MusicNet.
    """

    file: InputFile | None = None
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


def maestro_table(storage: Storage, files: Sequence[str]) -> MaestroTable:
    """The table `maestro-VERSION.csv` among all files of an input."""
    for name in files:
        folder, _, base = name.rpartition("/")
        named = base.startswith("maestro-") and base.endswith(".csv")
        if not named or printable(name) != name:
            continue
        try:
            data = storage.read_bytes(name)
            table = open_csv(data, where=name)
            rows = [dict(zip(table.columns, fields, strict=False)) for _, fields in table.rows]
        except UnreadableFileError:
            continue
        if set(table.columns) >= _COLUMNS:
            prefix = f"{folder}/" if folder else ""
            by_name = {prefix + row.get("audio_filename", ""): row for row in rows}
            return MaestroTable(
                file=InputFile.of(name, data),
                groups={
                    audio: "test" if row.get("split") == "test" else "train"
                    for audio, row in by_name.items()
                },
                metadata={audio: _metadata(row) for audio, row in by_name.items()},
            )
    return MaestroTable()


def _metadata(row: Mapping[str, str]) -> dict[str, str]:
    composer = row.get("canonical_composer", "").strip()
    title = row.get("canonical_title", "").strip()
    return {"composer": composer, "composition": title} if composer and title else {}
