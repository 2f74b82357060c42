"""The recordings of any folder: audio files at any depth, with their labels beside them, if any."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from pipelines.audio.header import suffix_of
from pipelines.recordings.ids import id_key
from pipelines.recordings.maestro import maestro_table
from pipelines.recordings.midi_labels import MIDI_SUFFIXES
from pipelines.recordings.source import (
    Source,
    is_audio,
    is_other_audio,
    listing_reject,
    other_audio_reject,
    why_unusable,
)
from schemas import Storage
from schemas.rejects import Reject

LABEL_SUFFIXES = (".csv", *MIDI_SUFFIXES)


def list_any_folder(
    storage: Storage, files: Sequence[str]
) -> tuple[list[Source], list[Reject], set[str]]:
    """The recordings among all files of an input, in no particular order.

    Also what cannot be one of them, and all files that were looked at. A recording's id is its path
    without the ending, and its labels have the same.
    """
    audio = [name for name in files if is_audio(name)]
    ids = Counter(id_key(_path_id(name)) for name in audio)
    labels = defaultdict(list)
    for name in files:
        if suffix_of(name) in LABEL_SUFFIXES and id_key(_path_id(name)) in ids:
            labels[id_key(_path_id(name))].append(name)
    table = maestro_table(storage, files)
    sources, rejects, used = [], [], {*audio, *([table.file.path] if table.file else [])}
    for name in audio:
        recording_id = _path_id(name)
        own_labels = labels[id_key(recording_id)]
        used.update(own_labels)
        unusable = why_unusable(name, recording_id, ids[id_key(recording_id)], own_labels)
        if unusable:
            rejects.append(listing_reject(name, *unusable, recording_id=recording_id))
            continue
        sources.append(
            Source(
                recording_id=recording_id,
                group=table.groups.get(name, ""),
                audio_path=name,
                labels_path=own_labels[0] if own_labels else None,
                metadata=table.metadata.get(name, {}),
                metadata_file=table.file if name in table.groups else None,
            )
        )
    for name in filter(is_other_audio, files):
        rejects.append(other_audio_reject(name, _path_id(name)))
        used.add(name)
    return sources, rejects, used


def _path_id(name: str) -> str:
    return name.rpartition(".")[0]
