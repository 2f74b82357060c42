from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, log_mel_of, note, random_transcriber
from training.measures.transcriber import average_precision, context_frames, frame_inputs
from training.measures.transcriber_training import train_transcriber

PITCHES = (57, 61, 64, 69)


def hertz(pitch: int) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


def melody(seed: int, notes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Steady notes one after the other, and their labels."""
    played = np.random.default_rng(seed).choice(PITCHES, notes)
    log_mel = log_mel_of(np.concatenate([note(hertz(pitch), 0.5) for pitch in played]))
    seconds = np.arange(len(log_mel)) / CONFIG.frames_per_second
    current = played[np.minimum((seconds / 0.5).astype(int), notes - 1)]
    return log_mel, np.eye(128, dtype=np.uint8)[current]


def test_a_transcriber_learns_the_notes_that_it_is_taught() -> None:
    transcriber = train_transcriber([melody(seed) for seed in range(3)], CONFIG)
    log_mel, notes = melody(9)
    probabilities = transcriber.note_probabilities(log_mel)
    assert probabilities.shape == notes.shape
    chance = notes.mean()
    assert average_precision(notes, np.tile(notes.mean(axis=0), (len(notes), 1))) < 0.5
    assert average_precision(notes, probabilities) > 0.9 > 10 * chance


def test_training_is_repeatable_and_leaves_global_seeds_alone() -> None:
    windows = [melody(0, notes=2)]
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    one, other = (train_transcriber(windows, CONFIG, seed=3) for _ in range(2))
    assert np.random.random() == expected
    np.testing.assert_array_equal(one.note_weights, other.note_weights)
    third = train_transcriber(windows, CONFIG, seed=4)
    assert (third.note_weights != one.note_weights).any()


def test_a_gain_changes_no_embedding() -> None:
    log_mel, _ = melody(0, notes=2)
    transcriber = random_transcriber()
    above_the_floor = np.maximum(log_mel, -60)
    np.testing.assert_allclose(
        transcriber.embed(above_the_floor + 12), transcriber.embed(above_the_floor), atol=1e-4
    )


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
    assert np.isnan(average_precision(np.zeros((3, 4)), np.ones((3, 4))))
