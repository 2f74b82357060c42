from __future__ import annotations

import numpy as np
import pytest

from training.measures.pitches import (
    note_changes_per_second,
    pitch_class_bits,
    pitch_class_histogram,
    polyphony,
    polyphony_histogram,
)


def test_labels_are_counted() -> None:
    notes = np.zeros((10, 128), np.uint8)
    notes[:, 60] = 1
    notes[5:, 64] = 1
    assert polyphony(notes) == 1.5
    assert polyphony_histogram(notes).tolist() == [0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    histogram = pitch_class_histogram(notes)
    np.testing.assert_allclose(histogram[[0, 4]], [2 / 3, 1 / 3])
    assert note_changes_per_second(notes, 9.0) == 1.0


def test_octaves_are_one_pitch_class() -> None:
    notes = np.zeros((3, 128))
    notes[:, 0::12] = 1
    assert pitch_class_histogram(notes).tolist() == [1] + [0] * 11
    assert pitch_class_bits(notes) == 0


def test_all_classes_alike_have_the_greatest_entropy() -> None:
    assert pitch_class_bits(np.eye(128)[:120]) == pytest.approx(np.log2(12))


def test_nothing_that_sounds_says_nothing_about_pitch() -> None:
    nothing = np.zeros((4, 128))
    assert pitch_class_histogram(nothing).sum() == pytest.approx(1)
    assert pitch_class_bits(nothing) == pytest.approx(np.log2(12))
    assert polyphony(nothing) == note_changes_per_second(nothing, 43.0) == 0


def test_transposition_turns_the_histogram() -> None:
    notes = np.random.default_rng(0).random((20, 116))
    notes = np.pad(notes, [(0, 0), (0, 12)])
    turned = pitch_class_histogram(np.roll(notes, 5, axis=1))
    np.testing.assert_allclose(turned, np.roll(pitch_class_histogram(notes), 5))


def test_many_notes_are_counted_together() -> None:
    notes = np.zeros((2, 128), bool)
    notes[0, :8] = notes[1, :60] = True
    assert polyphony_histogram(notes)[-1] == 1
