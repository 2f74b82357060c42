from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas import Dataset
from tests.support.dataset_factory import CONFIG
from training.errors import TrainingError
from training.midi import Note, write_midi
from training.scores import score_of_midi, score_of_recording

NOTES = [Note(0.0, 0.1, 60), Note(0.05, 0.4, 64), Note(0.5, 0.5001, 127)]


def test_the_notes_of_a_midi_file_are_drawn_by_the_rule_of_datasets(tmp_path: Path) -> None:
    """A time belongs to the first frame whose center, k / 62.5 s, is not before it."""
    path = tmp_path / "x.mid"
    path.write_bytes(write_midi(NOTES))
    score = score_of_midi(path, CONFIG, 1_000)
    rate = CONFIG.frames_per_second
    expected = np.zeros((2, int(np.ceil(0.5 * rate)) + 1, 128), np.uint8)
    for note in NOTES:
        start = int(np.ceil(round(note.start, 3) * rate))
        end = max(start + 1, int(np.ceil(round(note.end, 3) * rate)))
        expected[0, start:end, note.pitch] = expected[1, start, note.pitch] = 1
    np.testing.assert_array_equal(score.notes[0], expected[0])
    np.testing.assert_array_equal(score.onsets[0], expected[1])


def test_files_that_are_no_scores_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"gone\.mid: cannot be read: .*MIDI file"):
        score_of_midi(tmp_path / "gone.mid", CONFIG, 9)
    path = tmp_path / "empty.mid"
    path.write_bytes(write_midi([]))
    with pytest.raises(TrainingError, match=r"empty\.mid: holds no note; choose another"):
        score_of_midi(path, CONFIG, 9)
    path.write_bytes(b"RIFF")
    with pytest.raises(TrainingError, match=r"empty\.mid: cannot be read as a standard MIDI"):
        score_of_midi(path, CONFIG, 9)


def test_a_note_that_is_hours_away_takes_no_memory(tmp_path: Path) -> None:
    """Drawn whole, seventy hours would take four gigabytes."""
    path = tmp_path / "far.mid"
    path.write_bytes(write_midi([Note(0.0, 0.1, 60), Note(252_000.0, 252_001.0, 61)]))
    assert score_of_midi(path, CONFIG, 50).notes.shape == (1, 50, 128)
    path.write_bytes(write_midi([Note(252_000.0, 252_001.0, 61)]))
    with pytest.raises(TrainingError, match=r"far\.mid: holds no note"):
        score_of_midi(path, CONFIG, 50)


def test_a_recording_without_labels_is_named(small_dataset: Path) -> None:
    with pytest.raises(TrainingError, match="has no labels of a recording '2303'; some of those"):
        score_of_recording(Dataset(small_dataset), "2303")


def test_the_score_of_a_recording_is_what_its_windows_hold(tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    checked = 0
    for split, summary in dataset.manifest.splits.items():
        for position in range(summary.windows):
            window = dataset.window(split, position)
            score = score_of_recording(dataset, window.recording_id)
            part = score.frames(window.first_frame, window.valid_frames)
            for name, roll in (("notes", part.notes), ("onsets", part.onsets)):
                stored = window.features[name][: window.valid_frames]
                np.testing.assert_array_equal(roll[0], stored)
            checked += int(part.onsets.sum())
    assert checked
