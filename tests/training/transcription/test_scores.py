from __future__ import annotations

import mir_eval
import numpy as np
import pytest
import sklearn.metrics

from training.rolls import notes_of_rolls
from training.transcription.decoding import Thresholds, decode
from training.transcription.scores import (
    Agreement,
    Heard,
    average_precision_by_pitch,
    best_threshold,
    best_thresholds,
    frame_agreement,
    mean_onset_agreement,
    onset_agreement,
    pooled_average_precision,
)

RATE = 43.0
SILENT = np.zeros((50, 128), np.uint8)


def heard(seed: int, frames: int = 200) -> Heard:
    """Random notes, and chances that are right most of the time."""
    rng = np.random.default_rng(seed)
    onsets = (rng.random((frames, 128)) < 0.002).astype(np.uint8)
    notes = np.array(onsets)
    for shift in range(1, 12):
        notes[shift:] |= onsets[:-shift]
    moved = np.roll(onsets, rng.integers(-3, 4), axis=0)
    chances = [
        np.clip(0.6 * roll + rng.normal(0.2, 0.15, roll.shape), 0, 1).astype(np.float32)
        for roll in (notes, moved)
    ]
    return Heard(notes=notes, onsets=onsets, note_chances=chances[0], onset_chances=chances[1])


HEARD = {"a": heard(0), "b": heard(1, frames=150), "c": heard(2)}
NOTES = np.concatenate([each.notes for each in HEARD.values()])
CHANCES = np.concatenate([each.note_chances for each in HEARD.values()])


def test_average_precision_is_that_of_all_cells_as_scikit_learn_has_it() -> None:
    expected = sklearn.metrics.average_precision_score(NOTES.ravel(), CHANCES.ravel())
    assert pooled_average_precision(HEARD) == pytest.approx(expected)


def test_average_precision_by_pitch_is_the_macro_average_of_pitches_that_sound() -> None:
    some = NOTES.any(axis=0)
    assert not some.all() or some.sum() > 100
    expected = sklearn.metrics.average_precision_score(NOTES[:, some], CHANCES[:, some])
    assert average_precision_by_pitch(HEARD) == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8, 1.1])
def test_frames_are_counted_as_scikit_learn_does(threshold: float) -> None:
    found = frame_agreement(HEARD, threshold)
    expected = sklearn.metrics.precision_recall_fscore_support(
        NOTES.ravel(), CHANCES.ravel() >= threshold, average="binary", zero_division=0
    )[:3]
    assert (found.precision, found.recall, found.f) == pytest.approx(expected)


def test_onsets_are_matched_as_mir_eval_does() -> None:
    thresholds = Thresholds(0.5, 0.5)
    each = HEARD["a"]
    true = notes_of_rolls(each.notes, each.onsets, RATE)
    found = decode(each.note_chances, each.onset_chances, thresholds, RATE)
    expected = mir_eval.transcription.onset_precision_recall_f1(
        np.array([(note.start, note.end) for note in true]),
        np.array([(note.start, note.end) for note in found]),
    )
    agreement = onset_agreement(each, thresholds, RATE)
    assert agreement is not None
    # The right pitch counts here, so that no more notes match than onsets do.
    assert 0 < agreement.precision <= expected[0]
    assert 0 < agreement.recall <= expected[1]


def test_an_onset_counts_within_two_frames_of_its_pitch_and_no_further() -> None:
    """Two frames are 47 ms at 43 frames per second, three are 70 ms."""
    onsets = np.array(SILENT)
    onsets[20, 60] = 1
    for shift, pitch, right in ((0, 60, 1), (2, 60, 1), (-2, 60, 1), (3, 60, 0), (0, 61, 0)):
        chances = np.zeros(onsets.shape, np.float32)
        chances[20 + shift, pitch] = 1
        one = Heard(notes=onsets, onsets=onsets, note_chances=chances, onset_chances=chances)
        found = onset_agreement(one, Thresholds(0.5, 0.5), RATE)
        assert found == Agreement(right, right, right)


def test_means_are_over_recordings_that_hold_notes() -> None:
    chances = SILENT.astype(np.float32)
    silent = Heard(notes=SILENT, onsets=SILENT, note_chances=chances, onset_chances=chances)
    thresholds = Thresholds(0.5, 0.5)
    each = [onset_agreement(one, thresholds, RATE) for one in HEARD.values()]
    found = mean_onset_agreement({**HEARD, "silent": silent}, thresholds, RATE)
    assert found is not None
    assert found.f == pytest.approx(np.mean([one.f for one in each if one is not None]))
    nothing = {"silent": silent}
    assert mean_onset_agreement(nothing, thresholds, RATE) is None
    assert pooled_average_precision(nothing) is None
    assert average_precision_by_pitch(nothing) is None
    assert frame_agreement(nothing, 0.5) == Agreement(0.0, 0.0, 0.0)
    assert best_thresholds(nothing, RATE) == Thresholds(0.5, 0.5)


def test_the_best_threshold_is_that_of_the_best_f() -> None:
    found = best_threshold(NOTES, CHANCES)
    precision, recall, thresholds = sklearn.metrics.precision_recall_curve(
        NOTES.ravel(), CHANCES.ravel()
    )
    f = 2 * precision * recall / (precision + recall)
    assert found == pytest.approx(thresholds[f[:-1].argmax()])


def test_no_other_threshold_of_onsets_is_better() -> None:
    best = best_thresholds(HEARD, RATE)
    score = mean_onset_agreement(HEARD, best, RATE)
    assert score is not None
    for other in (0.1, 0.3, 0.5, 0.7, 0.9):
        found = mean_onset_agreement(HEARD, Thresholds(best.notes, other), RATE)
        assert found is not None
        assert found.f <= score.f
