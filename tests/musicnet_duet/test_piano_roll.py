from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from musicnet_duet.piano_roll import draw_piano_roll


def roll(frames: int = 86) -> tuple[np.ndarray, np.ndarray]:
    notes, onsets = np.zeros((2, frames, 128), np.uint8)
    for first, pitch in ((0, 60), (20, 64), (40, 67)):
        notes[first : first + 20, pitch] = 1
        onsets[first, pitch] = 1
    return notes, onsets


def test_the_same_roll_makes_the_same_bytes_whatever_the_settings() -> None:
    notes, onsets = roll()
    first = draw_piano_roll(notes, onsets, 43.0)
    with matplotlib.rc_context({"figure.facecolor": "red", "font.size": 30}):
        assert draw_piano_roll(notes, onsets, 43.0) == first


def test_a_note_that_is_struck_again_is_drawn_as_two() -> None:
    notes, onsets = roll()
    struck = onsets.copy()
    struck[30, 64] = 1
    assert draw_piano_roll(notes, struck, 43.0) != draw_piano_roll(notes, onsets, 43.0)


def test_a_bar_is_where_its_note_is() -> None:
    """The blue pixels move right with time and up with pitch, and a longer note has more."""

    def blue(first: int, length: int, pitch: int) -> tuple[float, float, int]:
        notes, onsets = np.zeros((2, 86, 128), np.uint8)
        notes[first : first + length, pitch] = onsets[first, pitch] = 1
        notes[:, [40, 90]] = 1  # The range that is shown.
        pixels = imread(io.BytesIO(draw_piano_roll(notes, onsets, 43.0)))[..., :3]
        distance = np.abs(pixels - np.array([0x3A, 0x6E, 0xA5]) / 255).max(axis=2)
        rows, columns = np.nonzero(distance < 0.02)
        return float(columns.mean()), float(rows.mean()), len(rows)

    column, row, count = blue(40, 5, 60)
    assert blue(60, 5, 60)[0] > column
    assert blue(40, 5, 72)[1] < row
    assert blue(40, 20, 60)[2] > count


@pytest.mark.parametrize("frames", [1, 430])
def test_silence_can_be_drawn(frames: int) -> None:
    silent = np.zeros((frames, 128), np.uint8)
    assert draw_piano_roll(silent, silent, 43.0).startswith(b"\x89PNG")
