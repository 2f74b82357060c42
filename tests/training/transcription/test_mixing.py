from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from training.transcription.mixing import LEAST_GAIN_DB, MIXED, mixed

WINDOWS = 500


def example() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Windows of one frame, whose level, sample, note and weight spell their number."""
    number = np.arange(WINDOWS)
    inputs = {
        "log_mel": (-60 + number % 7).astype(np.float32)[:, np.newaxis, np.newaxis],
        "waveform": (0.001 * (1 + number % 5)).astype(np.float32)[:, np.newaxis],
    }
    targets = {"notes": np.eye(WINDOWS, dtype=np.float32)[:, np.newaxis]}
    weights = {"notes": (number % 3 > 0).astype(np.float32)[:, np.newaxis]}
    return inputs, targets, weights


def draw(seed: int) -> list[dict[str, np.ndarray]]:
    found = mixed(*example(), tf.constant([seed, 0]))
    return [{name: np.asarray(each) for name, each in part.items()} for part in found]


def test_a_share_has_the_window_before_it_added_and_others_are_as_they_were() -> None:
    given = example()
    inputs, targets, weights = draw(0)
    notes = targets["notes"][:, 0]
    is_mixed = notes.sum(axis=1) == 2
    assert abs(is_mixed.mean() - MIXED) < 0.06
    own = given[1]["notes"][:, 0]
    np.testing.assert_array_equal(notes[~is_mixed], own[~is_mixed])
    np.testing.assert_array_equal(notes[is_mixed], (own + np.roll(own, 1, axis=0))[is_mixed])
    valid, its = given[2]["notes"], weights["notes"]
    np.testing.assert_array_equal(its[~is_mixed], valid[~is_mixed])
    np.testing.assert_array_equal(its[is_mixed], (valid * np.roll(valid, 1))[is_mixed])
    for name in inputs:
        np.testing.assert_array_equal(inputs[name][~is_mixed], given[0][name][~is_mixed])


def test_samples_and_powers_are_added_with_one_gain() -> None:
    given = example()[0]
    inputs, targets, _ = draw(1)
    is_mixed = targets["notes"][:, 0].sum(axis=1) == 2
    added = (inputs["waveform"] - given["waveform"])[:, 0] / np.roll(given["waveform"][:, 0], 1)
    powers, before = (10 ** (each["log_mel"][:, 0, 0] / 10) for each in (inputs, given))
    gains = (powers - before) / np.roll(before, 1)
    np.testing.assert_allclose(gains[is_mixed], added[is_mixed] ** 2, rtol=0.01)
    gains_db = 10 * np.log10(gains[is_mixed])
    assert LEAST_GAIN_DB - 0.1 <= gains_db.min() < LEAST_GAIN_DB + 1
    assert -1 < gains_db.max() <= 0.1


def test_draws_are_a_function_of_the_seed() -> None:
    first, same, other = (draw(seed)[0]["waveform"] for seed in (2, 2, 3))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
