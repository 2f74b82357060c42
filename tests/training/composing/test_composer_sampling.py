from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from tests.support.composers import composer, possible_frames
from training.composing import compose
from training.composing.model import frame_nats
from training.composing.sampling import BLOCK_FRAMES
from training.composing.states import states_of


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("before", [[0, 0, 0], [2, 0, 2]])
def test_draws_follow_the_density(chained: bool, before: list[int]) -> None:
    """Counts of whole frames fit their probabilities: a sound sampler fails at 1e-4."""
    model, pieces = composer(chained=chained), 20_000
    frames = possible_frames(before)
    masses = []
    for frame in frames:
        _, state = model.hear(model.start(1), tf.constant([before]))
        log_probs, _ = model.hear(state, tf.constant([frame]))
        masses.append(np.exp(-frame_nats(tf.constant([frame]), log_probs).numpy()[0]))
    _, state = model.hear(model.start(pieces), tf.constant([before] * pieces))
    uniform = np.random.default_rng(3).random((pieces, 3), np.float32)
    drawn, _ = model.draw(state, tf.constant(uniform), 1.0)
    counted = {tuple(frame): 0 for frame in frames}
    for each in drawn.numpy().tolist():
        counted[tuple(each)] += 1
    expected = np.array(masses, np.float64)
    found = np.array(list(counted.values()))
    often = expected * pieces >= 5
    found = np.append(found[often], found[~often].sum() + 1e-9)
    share = np.append(expected[often], max(1e-9, 1 - expected[often].sum()))
    assert chisquare(found, share / share.sum() * found.sum()).pvalue > 1e-4


def test_a_piece_has_the_likelihood_that_teacher_forcing_expects_of_it() -> None:
    """Its nats less the entropy, frame by frame, have the mean 0: off by 4 deviations is wrong."""
    model = composer()
    rolls = compose(model, 150, seeds=list(range(16)))
    silent = np.zeros((16, 1, 128), np.uint8)
    notes, onsets = (np.concatenate([silent, each], 1) for each in rolls)
    states = states_of(notes, onsets, (60, 62))
    log_probs = model(states).numpy().astype(np.float64)
    chosen = np.take_along_axis(log_probs, states.numpy()[:, 1:, :, np.newaxis], -1)[..., 0]
    entropy = (np.exp(log_probs) * -log_probs).sum(axis=-1)
    excess = (-chosen - entropy).sum(axis=-1).ravel()
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(excess))


def test_a_frame_is_what_drawing_pitch_by_pitch_from_below_gives() -> None:
    model, pitches = composer(pitches=12), 12
    before = np.random.default_rng(5).integers(0, 3, (4, pitches))
    _, state = model.hear(model.start(4), tf.constant(before, tf.int32))
    uniform = np.random.default_rng(6).random((4, pitches), np.float32)
    drawn, _ = model.draw(state, tf.constant(uniform), 1.0)
    states = np.zeros((4, pitches), np.int32)
    for pitch in range(pitches):
        log_probs, _ = model.hear(state, tf.constant(states))
        sums = np.cumsum(np.exp(log_probs[:, pitch]), axis=-1)[:, :2]
        states[:, pitch] = (uniform[:, pitch, np.newaxis] >= sums).sum(axis=-1)
    np.testing.assert_array_equal(drawn, states)


def test_pieces_are_piano_rolls_and_functions_of_their_seeds() -> None:
    model = composer()
    notes, onsets = compose(model, 50, seeds=[3, 4])
    assert notes.shape == onsets.shape == (2, 50, 128)
    assert notes.dtype == onsets.dtype == np.uint8
    assert (onsets <= notes).all()
    assert onsets.any()
    begins = np.diff(notes.astype(int), axis=1, prepend=0) == 1
    assert (onsets[begins] == 1).all()
    assert not notes[..., :60].any()
    assert not notes[..., 63:].any()
    for found, same in zip((notes, onsets), compose(model, 50, seeds=[3, 4]), strict=True):
        np.testing.assert_array_equal(found, same)
    assert (notes[0] != notes[1]).any()


@pytest.mark.parametrize("frames", [BLOCK_FRAMES - 1, BLOCK_FRAMES, BLOCK_FRAMES + 1])
def test_a_longer_piece_begins_as_a_shorter_one(frames: int) -> None:
    model = composer()
    longer = compose(model, 2 * BLOCK_FRAMES + 7, seeds=[0, 1])
    for long, short in zip(longer, compose(model, frames, seeds=[0, 1]), strict=True):
        np.testing.assert_array_equal(long[:, :frames], short)


def test_a_prime_is_heard_and_composing_goes_on_from_it() -> None:
    """Primed with its own beginning, the numbers that follow give what follows."""
    model = composer()
    notes, onsets = compose(model, 12, seeds=[0])
    state = model.start(1)
    for states in states_of(notes, onsets, (60, 62))[0, :8]:
        _, state = model.hear(state, states[tf.newaxis])
    uniform = np.random.default_rng(0).random((12, 3), np.float32)[8:9]
    drawn, _ = model.draw(state, tf.constant(uniform), 1.0)
    np.testing.assert_array_equal(drawn, states_of(notes, onsets, (60, 62))[:, 8])
    prime = (np.ones((5, 128), np.uint8), np.zeros((5, 128), np.uint8))
    primed = compose(model, 12, seeds=[0], prime=prime)
    assert primed[0].shape == (1, 12, 128)
    assert (primed[0] != notes).any() or (primed[1] != onsets).any()


def test_a_low_temperature_repeats_itself_whatever_the_seed() -> None:
    notes, onsets = compose(composer(), 20, seeds=[1, 2], temperature=1e-6)
    np.testing.assert_array_equal(notes[0], notes[1])
    np.testing.assert_array_equal(onsets[0], onsets[1])
