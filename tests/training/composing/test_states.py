from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.support.composers import NOTES, roll_of
from training.composing.states import HELD, SILENT, STRUCK, rolls_of, states_of, transposed

ALL = (0, 127)


@given(NOTES)
def test_rolls_become_states_and_rolls_again(notes: list[tuple[int, int, int]]) -> None:
    rolls = roll_of(notes, 20)
    states = states_of(*rolls, ALL).numpy()
    for found, roll in zip(rolls_of(states, ALL), rolls, strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, roll)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_no_silent_pitch_is_held_next_whatever_the_rolls(seed: int, frames: int) -> None:
    notes, onsets = np.random.default_rng(seed).integers(0, 2, (2, frames, 128))
    states = states_of(notes, onsets, ALL).numpy()
    assert not ((states[1:] == HELD) & (states[:-1] == SILENT)).any()
    np.testing.assert_array_equal(states != SILENT, notes | onsets)
    assert (states[onsets == 1] == STRUCK).all()


def test_pitches_outside_the_range_are_left_out() -> None:
    rolls = roll_of([(59, 0, 2), (60, 0, 2), (62, 1, 1), (63, 1, 1)], 3)
    states = states_of(*rolls, (60, 62)).numpy()
    assert states.tolist() == [[STRUCK, 0, 0], [HELD, 0, STRUCK], [0, 0, 0]]
    notes, onsets = rolls_of(states, (60, 62))
    assert np.argwhere(notes).tolist() == [[0, 60], [1, 60], [1, 62]]
    assert np.argwhere(onsets).tolist() == [[0, 60], [1, 62]]


@given(NOTES, st.lists(st.integers(-127, 127), min_size=1, max_size=4))
def test_transposing_a_roll_is_the_roll_of_transposed_notes(
    notes: list[tuple[int, int, int]], semitones: list[int]
) -> None:
    roll: Any = np.stack([roll_of(notes, 20)[0]] * len(semitones))
    found = transposed(tf.constant(roll), tf.constant(semitones)).numpy()
    for row, shift in zip(found, semitones, strict=True):
        moved = [
            (pitch + shift, first, length)
            for pitch, first, length in notes
            if 0 <= pitch + shift <= 127
        ]
        np.testing.assert_array_equal(row, roll_of(moved, 20)[0])
