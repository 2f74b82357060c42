from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas import PRESETS
from training import TrainingError
from training.models.score import Score
from training.playing import PEAKS, playing

CONFIG = PRESETS["librosa"]
FRAMES = 300


def score_of(starts: list[list[int]]) -> Score:
    """A piece for each list of frames in which a note of ten frames starts."""
    notes, onsets = (np.zeros((len(starts), FRAMES, 128), np.uint8) for _ in range(2))
    for piece, frames in enumerate(starts):
        for frame in frames:
            notes[piece, frame : frame + 10, 60] = 1
            onsets[piece, frame, 60] = 1
    return Score(notes, onsets)


def sound_of(starts: list[int]) -> np.ndarray:
    """Levels that jump by 30 dB at each start, and fall again."""
    levels = np.full((FRAMES, CONFIG.n_mels), -60.0, np.float32)
    for frame in starts:
        levels[frame : frame + 10] = -30.0
    return levels


STARTS = [list(range(10, 280, 40)), list(range(25, 280, 40)), []]


def test_what_has_the_onsets_of_its_score_is_told_from_chance() -> None:
    found = playing(
        [sound_of(each) for each in STARTS],
        [sound_of([]) for _ in STARTS],
        score_of(STARTS),
        CONFIG,
    )
    assert found is not None
    assert found.windows == 2
    assert list(found.onsets) == [PEAKS]
    assert found.onsets[PEAKS].played == pytest.approx(1, abs=0.01)
    assert found.onsets[PEAKS].chance == 0
    assert found.onsets[PEAKS].recordings == 0


def test_what_plays_the_score_of_another_window_is_no_better_than_chance() -> None:
    swapped = [sound_of(STARTS[number]) for number in (1, 0, 2)]
    found = playing(swapped, swapped, score_of(STARTS), CONFIG)
    assert found is not None
    assert found.onsets[PEAKS].played == 0
    assert found.onsets[PEAKS].chance == pytest.approx(1, abs=0.01)


def test_fewer_than_two_windows_with_notes_say_nothing() -> None:
    silent = [sound_of([]) for _ in range(2)]
    assert playing(silent, silent, score_of([STARTS[0], []]), CONFIG) is None


def test_a_folder_without_a_transcriber_is_named(tmp_path: Path) -> None:
    sounds = [sound_of(each) for each in STARTS]
    with pytest.raises(TrainingError, match="there is no transcriber here"):
        playing(sounds, sounds, score_of(STARTS), CONFIG, str(tmp_path))
