"""The recordings of a folder in MusicNet's layout, at any depth of the input.

    train_data/ID.wav    train_labels/ID.csv    musicnet_metadata.csv
    test_data/ID.wav     test_labels/ID.csv

The table of metadata may lie up to two levels above. Where a folder `musicnet_em` lies beside them,
its MIDI files ID.mid are the labels instead: MusicNet-EM (Maman and Bermano, ICML 2022). Names of
files and ids in tables are compared by `ids.id_key`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from pipelines.audio.header import suffix_of
from pipelines.recordings.ids import id_key
from pipelines.recordings.metadata import METADATA_FILE, read_metadata
from pipelines.recordings.midi_labels import MIDI_SUFFIXES
from pipelines.recordings.source import (
    Source,
    is_audio,
    is_other_audio,
    listing_reject,
    other_audio_reject,
    stem,
    why_unusable,
)
from schemas import Storage
from schemas.rejects import Reject, RejectReason

GROUPS = ("train", "test")

ALIGNED_FOLDER = "musicnet_em"

_LEVELS_ABOVE = 2
_AUDIO_FOLDERS = tuple(f"{group}_data" for group in GROUPS)


def layouts(files: Iterable[str]) -> list[str]:
    """The folders that hold MusicNet's `train_data` or `test_data` with audio, by all files."""
    found = set()
    for name in files:
        folder = name.rpartition("/")[0]
        above, _, last = folder.rpartition("/")
        if last in _AUDIO_FOLDERS and is_audio(name):
            found.add(above)
    return sorted(found)


def list_musicnet(
    storage: Storage, folder: str = ""
) -> tuple[list[Source], list[Reject], set[str]]:
    """The recordings of a layout in a folder of the input, in no particular order.

    Also what cannot be one of them, and all files that were looked at.
    """
    listed = {group: storage.list_folder(_in(folder, f"{group}_data")) for group in GROUPS}
    audio = [(group, name) for group in GROUPS for name in listed[group][0] if is_audio(name)]
    labels = {group: _label_files(storage, _in(folder, f"{group}_labels")) for group in GROUPS}
    aligned = _label_files(storage, _in(folder, ALIGNED_FOLDER), MIDI_SUFFIXES)
    metadata_name = _metadata_name(storage, folder)
    metadata, rejects = read_metadata(storage, metadata_name)
    ids = Counter(id_key(stem(name)) for _, name in audio)
    used = {metadata_name, *(name for _, name in audio)}
    sources = []
    for group, name in audio:
        recording_id = stem(name)
        tables, midis = (each.get(id_key(recording_id), []) for each in (labels[group], aligned))
        own_labels = midis or tables
        used.update(tables, midis)
        unusable = why_unusable(name, recording_id, ids[id_key(recording_id)], own_labels)
        if unusable:
            rejects.append(listing_reject(name, *unusable))
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
                metadata_file=None if metadata is None else metadata.file,
            )
        )
    for group in GROUPS:
        for name in listed[group][1]:
            if is_audio(name):
                message = "is a folder, not a recording; move it elsewhere"
                rejects.append(listing_reject(name, RejectReason.IS_FOLDER, message))
        for name in filter(is_other_audio, listed[group][0]):
            rejects.append(other_audio_reject(name))
            used.add(name)
    return sources, rejects, used


def _label_files(
    storage: Storage, folder: str, suffixes: Collection[str] = (".csv",)
) -> dict[str, list[str]]:
    """The label files in a folder, by the key of the id that each is named after."""
    found = defaultdict(list)
    for name in storage.list_folder(folder)[0]:
        if suffix_of(name) in suffixes:
            found[id_key(stem(name))].append(name)
    return found


def _metadata_name(storage: Storage, folder: str) -> str:
    """The table of metadata in a folder or above it; where it should be if there is none."""
    if not folder:
        return METADATA_FILE
    parts = folder.split("/")
    for depth in range(len(parts), max(-1, len(parts) - _LEVELS_ABOVE - 1), -1):
        name = _in("/".join(parts[:depth]), METADATA_FILE)
        if storage.exists(name):
            return name
    return _in(folder, METADATA_FILE)


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
