"""Scores to be played: the notes of a MIDI file, of a recording in a dataset, or of a composer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from schemas import Dataset, FeatureConfig
from schemas.notes import NOTE_COLUMNS, NoteFrames
from schemas.tables import LABELS, labels_file, table_from_bytes
from training.errors import TrainingError
from training.midi import read_midi
from training.models.score import Score
from training.rolls import note_frames
from training.validation import shown

if TYPE_CHECKING:
    from training.composing.runs import ComposerRun

_IDS_SHOWN = 10


def score_of_midi(path: str | Path, config: FeatureConfig, frames: int) -> Score:
    """The score of a MIDI file up to the end of its last note, but at most its first `frames`.

    Raises `TrainingError` where it cannot be read, or holds no note.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be read: {error.strerror}; give the name of a MIDI file"
        ) from error
    return _score(note_frames(read_midi(data, where=str(path)), config), str(path), frames)


def score_of_recording(dataset: Dataset, recording_id: str) -> Score:
    """The score of a recording, up to the end of its last note: those of its labels.

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
    recordings = dataset.recordings()
    ids, frames = (recordings[each].to_pylist() for each in ("recording_id", "frames"))
    most = dict(zip(ids, frames, strict=True))[recording_id] or 0
    return _score(NoteFrames.from_labels(table, dataset.config), where, most)


def score_of_composer(
    run_dir: str, config: FeatureConfig, frames: int, seed: int
) -> tuple[Score, ComposerRun]:
    """A piece of `frames` that a composer makes up, a function of the seed; and the composer's run.

    Raises `TrainingError` where there is no composer, or its frames are not those of `config`.
    """
    from training.composing.runs import load_composer
    from training.composing.sampling import compose

    run, model = load_composer(run_dir)
    if run.frames_per_second != config.frames_per_second:
        raise TrainingError(
            f"{run_dir}: its frames are {1 / run.frames_per_second:.4f} s, and those of the model "
            f"{1 / config.frames_per_second:.4f} s; train both on datasets with the same frames"
        )
    return Score(*compose(model, frames, seeds=[seed])), run


def _score(notes: NoteFrames, where: str, most_frames: int) -> Score:
    if not (notes.start < most_frames).any():
        raise TrainingError(f"{where}: holds no note; choose another score")
    frames = min(most_frames, int(notes.stop.max()))
    return Score(*(roll[np.newaxis] for roll in notes.piano_rolls(0, frames, frames)))


def _labeled(dataset: Dataset) -> list[str]:
    names = dataset.recordings()["recording_id"].to_pylist()
    return [each for each in names if labels_file(each) in dataset.manifest.files]
