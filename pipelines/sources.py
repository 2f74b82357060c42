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
from schemas.shards import Reject
from schemas.tables import METADATA_COLUMNS

METADATA_FILE = "musicnet_metadata.csv"
GROUPS = ("train", "test")


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
    names = storage.list_files()
    audio = [(group, name) for group in GROUPS for name in names if _is_audio(name, group)]
    if not audio:
        raise PipelineError(f"{root}: {_why_no_audio(storage, names)}")
    metadata, rejects = _read_metadata(storage, METADATA_FILE in names)
    present = set(names)
    ids = Counter(_stem(name) for _, name in audio)
    sources = []
    for group, name in audio:
        recording_id = _stem(name)
        if ids[recording_id] > 1:
            message = f"{name}: another recording has the same id; rename one of them"
            rejects.append(Reject(recording_id, "list", "duplicate_id", None, message))
            continue
        labels = f"{group}_labels/{recording_id}.csv"
        sources.append(
            Source(
                recording_id,
                group,
                name,
                labels if labels in present else None,
                metadata.get(recording_id, {}),
            )
        )
    sources.sort(key=lambda source: source.recording_id.encode())
    return sources, rejects


def _why_no_audio(storage: Storage, names: list[str]) -> str:
    if not storage.exists():
        return "no such folder"
    deeper = [name.partition("/")[0] for name in names if "/train_data/" in name]
    if deeper:
        return f"the recordings lie one folder deeper: use --input {storage.path(deeper[0])}"
    return (
        "holds no train_data/*.wav or test_data/*.wav; --input must name the folder in which "
        "MusicNet's train_data and test_data lie"
    )


def _is_audio(name: str, group: str) -> bool:
    folder, _, base = name.rpartition("/")
    return folder == f"{group}_data" and base.lower().endswith(".wav") and base[0] != "."


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _read_metadata(
    storage: Storage, present: bool
) -> tuple[dict[str, dict[str, str]], list[Reject]]:
    """The metadata's rows by id; a file that cannot be read is one reject and no metadata."""
    if not present:
        return {}, []
    try:
        rows = csv.DictReader(io.StringIO(storage.read_bytes(METADATA_FILE).decode("utf-8-sig")))
        if "id" not in (rows.fieldnames or ()):
            raise ValueError("it has no column named id")
        by_id = {
            row["id"]: {name: row[name] for name in METADATA_COLUMNS if row.get(name)}
            for row in rows
        }
    except (ValueError, csv.Error) as error:
        message = f"{METADATA_FILE}: not a table of metadata: {error}"
        return {}, [Reject("", "metadata", "metadata_unreadable", None, message)]
    return by_id, []
