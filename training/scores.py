"""Scores to be played: the notes of a MIDI file, or those of a recording in a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from schemas import Dataset, FeatureConfig
from schemas.features import LABEL_RATE
from schemas.notes import NOTE_COLUMNS, NoteFrames
from schemas.tables import LABELS, labels_file, table_from_bytes
from training.config import MIDI_ENDINGS
from training.errors import TrainingError
from training.midi import Note, read_midi
from training.models.score import Score
from training.validation import shown

_IDS_SHOWN = 10


def is_midi(name: str) -> bool:
    """Whether a score is the name of a MIDI file, and not that of a recording.

    Examples:
        >>> is_midi("fugue.MID"), is_midi("2303")
        (True, False)
    """
    return Path(name).suffix.lower() in MIDI_ENDINGS


def score_of_midi(path: str | Path, config: FeatureConfig) -> Score:
    """The score of a MIDI file, from its beginning to the end of its last note.

    Raises `TrainingError` where it cannot be read, or holds no note.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be read: {error.strerror}; give the name of a MIDI file"
        ) from error
    return _score(note_frames(read_midi(data, where=str(path)), config), str(path))


def score_of_recording(dataset: Dataset, recording_id: str) -> Score:
    """The score of a recording, as long as its notes: those of its labels.

    Raises `TrainingError` where the dataset has no labels of this recording.
    """
    name, files = labels_file(recording_id), dataset.manifest.files
    if name not in files:
        raise TrainingError(
            f"{dataset.storage.root}: has no labels of a recording {shown(recording_id)}; some of "
            f"those it has: {', '.join(_labeled(dataset)[:_IDS_SHOWN]) or 'none'}"
        )
    where = dataset.storage.path(name)
    table = table_from_bytes(
        dataset.storage.read_bytes(name), LABELS, where=where, columns=NOTE_COLUMNS
    )
    return _score(NoteFrames.from_labels(table, dataset.config), where)


def note_frames(notes: Sequence[Note], config: FeatureConfig) -> NoteFrames:
    """Notes on frames, by the rule of datasets, after their times were rounded to 1/44,100 s."""
    times = np.array([(note.start, note.end) for note in notes]).reshape(-1, 2) * LABEL_RATE
    start, end = np.round(times).astype(np.int64).T
    pitch = np.array([note.pitch for note in notes], np.int64)
    return NoteFrames.of(start, end, pitch, config=config)


def _score(notes: NoteFrames, where: str) -> Score:
    if not len(notes.pitch):
        raise TrainingError(f"{where}: holds no note; choose another score")
    frames = int(notes.stop.max())
    return Score(*(roll[np.newaxis] for roll in notes.piano_rolls(0, frames, frames)))


def _labeled(dataset: Dataset) -> list[str]:
    names = dataset.recordings()["recording_id"].to_pylist()
    return [each for each in names if labels_file(each) in dataset.manifest.files]
