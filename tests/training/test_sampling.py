from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import likelihood
from training.sampling import sample_levels
from training.trained_model import Trained, load_trained


@pytest.fixture(scope="module")
def trained(small_run: Path) -> Trained:
    return load_trained(small_run)


def draw(trained: Trained, **options: Any) -> np.ndarray:
    return sample_levels(trained.model, 30, **{"seed": 0, "temperature": 1.0} | options)


def test_samples_are_levels_and_a_function_of_the_seed(trained: Trained) -> None:
    levels = draw(trained)
    assert levels.shape == (30, 8)
    assert levels.dtype == np.int32
    assert levels.min() >= 0
    assert levels.max() <= 320
    np.testing.assert_array_equal(draw(trained), levels)
    assert np.any(draw(trained, seed=1) != levels)


def test_the_first_frames_do_not_depend_on_how_many_follow(trained: Trained) -> None:
    shorter = sample_levels(trained.model, 10, seed=0, temperature=1.0)
    np.testing.assert_array_equal(draw(trained)[:10], shorter)


def test_cold_samples_follow_the_model_from_where_it_was_primed(trained: Trained) -> None:
    """At nearly no temperature, a sample is near the mean that the whole sequence gives."""
    prime = np.random.default_rng(0).integers(150, 250, (20, 8)).astype(np.int32)
    levels = draw(trained, temperature=1e-4, prime=prime)
    whole = np.concatenate([prime, levels])[np.newaxis]
    mixture = trained.model(whole)
    likeliest = np.argmax(mixture.log_weights.numpy()[0], axis=1)[:, np.newaxis]
    means = np.take_along_axis(mixture.means.numpy()[0], likeliest, axis=1)[20:, 0]
    expected = np.clip(np.rint((means + 100) * 2), 0, 320)
    assert np.mean(np.abs(levels - expected) <= 1) > 0.95
    assert likelihood.log_prob(mixture, whole).numpy()[0, 20:].mean() > -5
