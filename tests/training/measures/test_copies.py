from __future__ import annotations

import numpy as np
import pytest

from tests.support.measured_sounds import CONFIG, log_mel_of, note, white_noise
from training.measures.copies import (
    copy_rule,
    distances_to_training,
    known_copies,
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
def recordings() -> list[tuple[str, np.ndarray]]:
    return [(str(seed), tune(seed)) for seed in range(8)]


def test_known_copies_are_copies_and_other_music_is_not(
    recordings: list[tuple[str, np.ndarray]],
) -> None:
    training, held_out = recordings[:6], recordings[6:]

    def distances(log_mel: np.ndarray) -> np.ndarray:
        return distances_to_training([patches_of(log_mel, CONFIG)], training, MEAN)[0]

    def copied(seed: int, first: int, delay: int, gain_db: float) -> np.ndarray:
        part = recordings[seed][1][first : first + 120]
        return resynthesized(part, CONFIG, delay_samples=delay, gain_db=gain_db, seed=seed)

    music = [patches_of(log_mel, CONFIG, name) for name, log_mel in training]
    copies = known_copies([recordings[0][1], recordings[1][1][60:]], CONFIG)
    found = distances_to_training([*music, *copies], training, MEAN)
    rule = copy_rule(list(zip("012345", found[:6], strict=True)), found[6:])
    assert rule is not None
    assert rule.recordings == 6
    for delay, gain_db in ((256, 0), (0, -35), (777, 10)):
        assert rule.is_copy(distances(copied(2, 33, delay, gain_db)))
    for _, log_mel in held_out:
        assert not rule.is_copy(distances(log_mel))


def test_a_recording_is_not_compared_with_itself(
    recordings: list[tuple[str, np.ndarray]],
) -> None:
    (_, log_mel), other = recordings[:2]
    sounds = [patches_of(log_mel, CONFIG, "a"), patches_of(log_mel, CONFIG)]
    own, unknown = distances_to_training(sounds, [("a", log_mel), other], MEAN)
    assert own.min() > 0.1
    assert unknown.max() < 1e-3


def test_several_sounds_at_once_have_the_distances_of_each(
    recordings: list[tuple[str, np.ndarray]],
) -> None:
    sounds = [patches_of(log_mel, CONFIG) for _, log_mel in recordings[:2]]
    sounds.insert(1, patches_of(np.zeros((9, CONFIG.n_mels)), CONFIG))
    together = distances_to_training(sounds, recordings[2:4], MEAN)
    for sound, found in zip(sounds, together, strict=True):
        (alone,) = distances_to_training([sound], recordings[2:4], MEAN)
        np.testing.assert_allclose(found, alone, atol=1e-6)


def test_the_threshold_leaves_both_sides_the_same_margin() -> None:
    distances = {"a": np.array([0.5, 0.9]), "b": np.array([0.32, 0.4]), "c": np.array([])}
    music = [*distances.items(), ("a", np.array([0.7]))]
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
        ([("a", np.array([0.1]))], [np.array([0.2])]),
        ([], [np.array([0.2])]),
        ([("a", np.array([]))], [np.array([0.2])]),
        ([("a", np.array([0.1]))], []),
    ],
)
def test_without_a_gap_the_rule_is_unknown(
    music: list[tuple[str, np.ndarray]], copies: list[np.ndarray]
) -> None:
    assert copy_rule(music, copies) is None


def test_which_patches_are_audible_is_invariant_to_gain() -> None:
    log_mel = tune(0)
    log_mel[43:86] -= 80
    assert len(patches_of(log_mel, CONFIG).patches) == 5
    assert len(patches_of(log_mel - 30, CONFIG).patches) == 5


def test_patches_are_the_seconds_one_after_the_other() -> None:
    log_mel = tune(0)
    patches = patches_of(log_mel, CONFIG).patches
    assert len(patches) == 6
    np.testing.assert_array_equal(patches.reshape(-1, CONFIG.n_mels), log_mel[: 6 * 43])


def test_what_nobody_hears_has_no_patch() -> None:
    for silence in (np.full((99, CONFIG.n_mels), CONFIG.floor_db), np.zeros((42, CONFIG.n_mels))):
        assert patches_of(silence, CONFIG).patches.shape == (0, 43, CONFIG.n_mels)


def test_windows_too_short_for_a_copy_are_left_out() -> None:
    log_mel = tune(0)
    windows = [log_mel[:frames] for frames in (0, 1, 43, 50, 51)]
    (copy, softer) = known_copies(windows, CONFIG)
    assert len(copy.patches) == len(softer.patches) == 1
