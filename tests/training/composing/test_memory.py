from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.composing.memory import (
    LONGEST,
    Memory,
    after,
    common_width,
    features,
    memories,
    pitch_width,
    silence,
)
from training.composing.states import HELD, SILENT, STRUCK

MELODY = [STRUCK, HELD, HELD, SILENT, SILENT, STRUCK, STRUCK, HELD]


def test_ages_count_from_the_last_change() -> None:
    found = memories(tf.constant(MELODY)[tf.newaxis, :, tf.newaxis])
    assert found.ages[0, :, 0].numpy().tolist() == [0, 1, 2, 0, 1, 0, 0, 1]
    assert found.since[0].numpy().tolist() == [0, 1, 2, 3, 4, 0, 0, 1]


def test_intervals_are_those_between_onsets_of_any_pitches_but_not_within_a_chord() -> None:
    frames = np.zeros((30, 3), np.int32)
    frames[[0, 1, 10, 25], [0, 1, 2, 0]] = STRUCK
    found = memories(tf.constant(frames)[tf.newaxis])
    assert found.intervals[0, -1].numpy().tolist() == [15, 9]
    assert found.intervals[0, 9].numpy().tolist() == [LONGEST, LONGEST]


def test_traces_are_sums_of_onsets_that_fade() -> None:
    found = memories(tf.constant(MELODY)[tf.newaxis, :, tf.newaxis])
    past = [7, 2, 1]  # frames since each of the three onsets
    expected = [sum(np.exp(-each / time) for each in past) for time in (43, 430)]
    np.testing.assert_allclose(found.traces[0, -1, :, 0], expected, rtol=1e-5)


def test_stepping_gives_what_the_sequence_gives() -> None:
    states = tf.constant(np.random.default_rng(0).integers(0, 3, (2, 9, 4)), tf.int32)
    whole = memories(states)
    step = silence(2, 4)
    for number in range(9):
        step = after(step, states[:, number])
        for one, all_of_them in zip(step, whole, strict=True):
            np.testing.assert_array_equal(one, all_of_them[:, number])


def test_nothing_grows_beyond_the_longest_time() -> None:
    near = after(silence(1, 2), tf.constant([[STRUCK, SILENT]]))
    memory = Memory(
        states=near.states,
        ages=near.ages + LONGEST - 2,
        traces=near.traces,
        since=near.since + LONGEST - 2,
        intervals=near.intervals,
    )
    for _ in range(4):
        memory = after(memory, tf.constant([[HELD, SILENT]]))
    assert memory.ages.numpy().tolist() == [[LONGEST, LONGEST]]
    assert memory.since.numpy().tolist() == [LONGEST]


@pytest.mark.parametrize("frames", [1, 5])
def test_features_have_the_widths_that_are_said_and_are_finite(frames: int) -> None:
    states = tf.constant(np.random.default_rng(1).integers(0, 3, (2, frames, 4)), tf.int32)
    pitch, common = features(memories(states))
    assert pitch.shape == (2, frames, 4, pitch_width())
    assert common.shape == (2, frames, common_width())
    assert np.isfinite(pitch).all()
    assert np.isfinite(common).all()


def test_a_beat_that_repeats_is_seen() -> None:
    """The features are the same at the end of every interval, and others in between."""
    states = np.zeros((1, 60, 1), np.int32)
    states[0, ::10] = STRUCK
    common = features(memories(tf.constant(states)))[1][0].numpy()
    np.testing.assert_array_equal(common[39], common[49])
    assert (common[44] != common[49]).any()
