from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.horizon import NOTES_AHEAD
from training.models.templates import NOTES_BEHIND, RELEASE_FRAMES, NoteTemplates

N_MELS, FRAMES = 5, 40
MEAN_DB = np.linspace(-20, -60, N_MELS).astype(np.float32)
STD_DB = np.linspace(5, 12, N_MELS).astype(np.float32)
SILENCE = np.zeros((1, FRAMES, 128), np.uint8)


def templates_of(seed: int = 0) -> NoteTemplates:
    """Templates with random weights."""
    layer = NoteTemplates(N_MELS)
    layer.build(None)
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    return layer


def power_of(layer: NoteTemplates, notes: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    levels = layer(notes, onsets, MEAN_DB, STD_DB).numpy().astype(np.float64)
    return 10 ** ((levels * STD_DB + MEAN_DB) / 10)


def rolls_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    notes, onsets = np.random.default_rng(seed).random((2, 1, FRAMES, 128)) < 0.02
    return notes, onsets


def test_the_powers_of_notes_and_of_the_background_add_up() -> None:
    """As the sum over cells of the rolls, each by itself, written out."""
    layer, (notes, onsets) = templates_of(), rolls_of(1)
    background = power_of(layer, SILENCE, SILENCE)
    expected = background.copy()
    for roll, kind in ((notes, 0), (onsets, 1)):
        for _, frame, pitch in np.argwhere(roll):
            single = SILENCE.copy()
            single[0, frame, pitch] = 1
            rolls = (single, SILENCE) if kind == 0 else (SILENCE, single)
            expected += power_of(layer, *rolls) - background
    np.testing.assert_allclose(power_of(layer, notes, onsets), expected, rtol=1e-3)


def test_a_note_is_heard_from_before_its_beginning_until_after_its_end() -> None:
    layer, frame = templates_of(), 10
    silence = layer(SILENCE, SILENCE, MEAN_DB, STD_DB).numpy()
    struck, held = SILENCE.copy(), SILENCE.copy()
    struck[0, frame, 60] = held[0, frame, 60] = 1
    reached = {
        "struck": (layer(SILENCE, struck, MEAN_DB, STD_DB).numpy() != silence).any(axis=(0, 2)),
        "held": (layer(held, SILENCE, MEAN_DB, STD_DB).numpy() != silence).any(axis=(0, 2)),
    }
    assert np.flatnonzero(reached["struck"]).tolist() == list(
        range(frame - NOTES_AHEAD, frame + NOTES_BEHIND + 1)
    )
    assert np.flatnonzero(reached["held"]).tolist() == list(
        range(frame, frame + RELEASE_FRAMES + 1)
    )


def test_a_note_that_training_never_heard_adds_no_more_than_the_background() -> None:
    layer = NoteTemplates(N_MELS)
    held = SILENCE.copy()
    held[0, :, 60] = 1
    silence, sounding = power_of(layer, SILENCE, SILENCE), power_of(layer, held, SILENCE)
    assert (sounding < 2.3 * silence).all()


def test_levels_are_finite_for_all_notes_at_once() -> None:
    layer = templates_of()
    every = np.ones_like(SILENCE)
    assert np.isfinite(layer(every, every, MEAN_DB, STD_DB)).all()


def test_gradients_reach_all_weights() -> None:
    layer, (notes, onsets) = templates_of(), rolls_of(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(notes, onsets, MEAN_DB, STD_DB))
    assert all((each.numpy() != 0).any() for each in tape.gradient(loss, layer.trainable_variables))
