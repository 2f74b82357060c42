from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, log_mel_of, note, white_noise
from training.measures.copies import (
    MAX_PATCHES,
    copy_rule,
    music_distances,
    patch_distances,
    patches_of,
    resynthesized,
)

MEAN = np.linspace(-20, -60, CONFIG.n_mels)


def tune(seed: int, seconds: float = 6.0) -> np.ndarray:
    """Random chords that decay, three a second."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-4 * np.arange(7_350) / 7_350)
    chords = [
        decay * sum(note(220 * 2 ** (step / 12), 1 / 3)[:7_350] for step in rng.integers(0, 24, 3))
        for _ in range(round(3 * seconds))
    ]
    return log_mel_of(np.concatenate(chords) + white_noise(seconds, 1e-3))


@pytest.fixture(scope="module")
def recordings() -> dict[str, list[np.ndarray]]:
    return {str(seed): [tune(seed)] for seed in range(8)}


def test_known_copies_are_copies_and_other_music_is_not(
    recordings: dict[str, list[np.ndarray]],
) -> None:
    training = [str(seed) for seed in range(6)]
    music = music_distances({name: recordings[name] for name in training}, training, MEAN, CONFIG)
    every = [window for name in training for window in recordings[name]]

    def copied(seed: int, first: int, delay: int, gain_db: float) -> np.ndarray:
        part = recordings[str(seed)][0][first : first + 120]
        again = resynthesized(part, CONFIG, delay_samples=delay, gain_db=gain_db, seed=seed)
        return patch_distances([again], every, MEAN, CONFIG)

    rule = copy_rule(music, [copied(0, 10, 100, -20), copied(1, 60, 300, 5)])
    assert rule is not None
    for delay, gain_db in ((256, 0), (0, -35), (777, 10)):
        assert rule.is_copy(copied(2, 33, delay, gain_db))
    for held_out in ("6", "7"):
        assert not rule.is_copy(patch_distances(recordings[held_out], every, MEAN, CONFIG))


def test_a_recording_is_not_compared_with_itself(recordings: dict[str, list[np.ndarray]]) -> None:
    alone = {"a": recordings["0"], "b": recordings["0"], "c": recordings["1"]}
    found = music_distances(alone, ["a", "c"], MEAN, CONFIG)
    assert found["a"].min() > 0.1
    assert found["b"].max() < 1e-3


def test_the_threshold_leaves_both_sides_the_same_margin() -> None:
    music = {"a": np.array([0.5, 0.9]), "b": np.array([0.32, 0.4]), "c": np.array([])}
    rule = copy_rule(music, [np.array([0.001, 0.02]), np.array([0.01])])
    assert rule is not None
    assert rule.nearest_music / rule.threshold == pytest.approx(rule.threshold / rule.farthest_copy)
    assert (rule.nearest_music, rule.farthest_copy, rule.recordings) == (0.32, 0.02, 2)
    assert rule.false_alarm_bound == pytest.approx(1 / 3)
    assert rule.is_copy(np.array([0.9, 0.07]))
    assert not rule.is_copy(np.array([0.9, 0.09]))
    assert not rule.is_copy(np.array([]))


@pytest.mark.parametrize(
    ("music", "copies"),
    [
        ({"a": np.array([0.1])}, [np.array([0.2])]),
        ({}, [np.array([0.2])]),
        ({"a": np.array([0.1])}, []),
    ],
)
def test_without_a_gap_the_rule_is_unknown(
    music: dict[str, np.ndarray], copies: list[np.ndarray]
) -> None:
    assert copy_rule(music, copies) is None


def test_which_patches_there_are_is_invariant_to_gain() -> None:
    log_mel = tune(0)
    log_mel[43:86] -= 80
    assert len(patches_of([log_mel], CONFIG)) == 5
    assert len(patches_of([log_mel - 30], CONFIG)) == 5


def test_patches_are_thinned_out_from_the_first_to_the_last() -> None:
    windows = [np.full((430, CONFIG.n_mels), float(k)) for k in range(9)]
    patches = patches_of(windows, CONFIG)
    assert len(patches) == MAX_PATCHES
    assert (patches[0, 0, 0], patches[-1, 0, 0]) == (0, 8)


def test_what_is_shorter_than_a_patch_has_none() -> None:
    assert patches_of([np.zeros((42, CONFIG.n_mels))], CONFIG).shape == (0, 43, CONFIG.n_mels)
    assert len(patch_distances([], [np.zeros((99, CONFIG.n_mels))], MEAN, CONFIG)) == 0
