from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, hertz, log_mel_of, note
from training.measures.transcriber import (
    FOLDS,
    HIDDEN_UNITS,
    RIDGE,
    Transcriber,
    TranscriberFit,
    average_precision,
    balanced_threshold,
    context_frames,
    frame_inputs,
    hidden_units,
)

PITCHES = (57, 61, 64, 69)


def melody(seed: int, notes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Steady notes one after the other, and their labels."""
    played = np.random.default_rng(seed).choice(PITCHES, notes)
    log_mel = log_mel_of(np.concatenate([note(hertz(pitch), 0.5) for pitch in played]))
    seconds = np.arange(len(log_mel)) / CONFIG.frames_per_second
    current = played[np.minimum((seconds / 0.5).astype(int), notes - 1)]
    return log_mel, np.eye(128, dtype=np.uint8)[current]


def fitted(*parts: tuple[np.ndarray, np.ndarray], without: tuple[int, ...] = ()) -> Transcriber:
    fit = TranscriberFit(CONFIG)
    for fold, (log_mel, notes) in enumerate(parts):
        fit.add(log_mel, notes, fold % FOLDS)
    return fit.transcriber(without=without)


def test_a_transcriber_learns_the_notes_that_it_is_taught() -> None:
    transcriber = fitted(*(melody(seed) for seed in range(3)))
    log_mel, notes = melody(9)
    scores = transcriber.scores(hidden_units(log_mel, CONFIG))
    assert scores.shape == notes.shape
    chance = notes.mean()
    marginal = average_precision(notes, np.tile(notes.mean(axis=0), (len(notes), 1)))
    found = average_precision(notes, scores)
    assert marginal is not None
    assert found is not None
    assert marginal < 0.5
    assert found > 0.9 > 10 * chance


def test_it_is_ridge_regression() -> None:
    parts = [melody(0, notes=3), melody(1, notes=2)]
    transcriber = fitted(*parts)
    hidden = np.concatenate([hidden_units(log_mel, CONFIG) for log_mel, _ in parts])
    notes = np.concatenate([notes for _, notes in parts]).astype(np.float64)
    centered = hidden - hidden.mean(axis=0, dtype=np.float64)
    rows = np.concatenate([centered, np.sqrt(RIDGE) * np.eye(HIDDEN_UNITS)])
    targets = np.concatenate([notes - notes.mean(axis=0), np.zeros((HIDDEN_UNITS, 128))])
    weights = np.linalg.lstsq(rows, targets)[0]
    np.testing.assert_allclose(transcriber.weights, weights, atol=1e-4)
    mean_scores = transcriber.scores(hidden).mean(axis=0)
    np.testing.assert_allclose(mean_scores, notes.mean(axis=0), atol=1e-3)


def test_what_is_left_out_teaches_nothing() -> None:
    one, other = melody(0, notes=3), melody(1, notes=3)
    alone = fitted(one)
    np.testing.assert_array_equal(fitted(one, other, without=(1,)).weights, alone.weights)
    assert (fitted(one, other).weights != alone.weights).any()


def test_a_transcriber_of_nothing_hears_nothing() -> None:
    transcriber = fitted(melody(0, notes=2), without=(0,))
    assert not transcriber.scores(hidden_units(melody(1)[0], CONFIG)).any()


def test_as_many_notes_reach_the_threshold_as_sound() -> None:
    rng = np.random.default_rng(0)
    sounding, scores = rng.random((40, 128)) < 0.03, rng.random((40, 128))
    threshold = balanced_threshold(sounding, scores)
    assert (scores >= threshold).sum() == sounding.sum()
    assert balanced_threshold(np.zeros(3), np.ones(3)) == np.inf


def test_a_gain_changes_no_hidden_unit() -> None:
    log_mel, _ = melody(0, notes=2)
    above_the_floor = np.maximum(log_mel, -60)
    units = hidden_units(above_the_floor, CONFIG)
    np.testing.assert_allclose(hidden_units(above_the_floor + 12, CONFIG), units, atol=1e-4)


def test_the_inputs_are_a_frame_and_its_neighbors() -> None:
    log_mel = np.random.default_rng(0).normal(-20, 5, (9, CONFIG.n_mels)).astype(np.float32)
    reach = context_frames(CONFIG)
    assert reach == 3
    inputs = frame_inputs(log_mel, CONFIG).reshape(9, 2 * reach + 1, CONFIG.n_mels)
    np.testing.assert_array_equal(inputs[4], inputs[1:8, reach])
    np.testing.assert_array_equal(inputs[0, :reach], np.tile(inputs[0, reach], (reach, 1)))


def brute_force_precision(sounding: np.ndarray, scores: np.ndarray) -> float:
    found = [sounding[scores >= score].mean() for score in scores[sounding == 1]]
    return float(np.mean(found))


@pytest.mark.parametrize("levels", [3, 1_000])
def test_average_precision_is_the_mean_precision_at_each_note(levels: int) -> None:
    rng = np.random.default_rng(levels)
    sounding = (rng.random(300) < 0.2).astype(int)
    scores = rng.integers(levels, size=300) / levels
    expected = brute_force_precision(sounding, scores)
    assert average_precision(sounding, scores) == pytest.approx(expected)


def test_average_precision_of_nothing_is_unknown() -> None:
    assert average_precision(np.zeros((3, 4)), np.ones((3, 4))) is None
