from __future__ import annotations

import dataclasses

import numpy as np

from tests.support.measured_sounds import CONFIG, random_ear
from training.measures.observation import on_grid, patch_embeddings
from training.measures.transcriber import hidden_units

LOG_MEL = np.random.default_rng(0).normal(-30, 5, (100, CONFIG.n_mels)).astype(np.float32)


def test_patches_are_whole_seconds() -> None:
    hidden = hidden_units(LOG_MEL, CONFIG)
    patches = patch_embeddings(hidden, CONFIG)
    assert patches.shape == (2, 2 * hidden.shape[1])
    second = hidden[43:86]
    expected = np.concatenate([second.mean(axis=0), second.std(axis=0)])
    np.testing.assert_allclose(patches[1], expected, atol=1e-5)


def test_levels_are_observed_as_models_know_them() -> None:
    """What a grid of half a decibel does to a measure, it does to all sounds alike."""
    ear = random_ear()
    observed, rounded = ear.observe(LOG_MEL), ear.observe(on_grid(LOG_MEL))
    assert observed.measured == rounded.measured
    np.testing.assert_array_equal(observed.embedding, rounded.embedding)


def test_notes_are_those_whose_scores_reach_the_threshold() -> None:
    ear = random_ear()
    assert ear.transcriber is not None
    notes = ear.observe(LOG_MEL).notes
    assert notes is not None
    scores = ear.transcriber.scores(hidden_units(on_grid(LOG_MEL), CONFIG))
    np.testing.assert_array_equal(notes, scores >= ear.threshold)
    assert 0 < notes.mean() < 1


def test_without_a_transcriber_nothing_is_known_about_notes() -> None:
    observed = dataclasses.replace(random_ear(), transcriber=None).observe(LOG_MEL)
    assert observed.notes is None
    assert "polyphony" not in observed.measured
    assert "level_db" in observed.measured
