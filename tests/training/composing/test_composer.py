from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.composers import SMALL, composer, possible_frames
from training import open_dataset
from training.composing import (
    BitsPerFrame,
    Composer,
    ComposerConfig,
    RollLikelihood,
    composing_example,
)
from training.composing.model import frame_nats
from training.composing.states import HELD, SILENT, STRUCK


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("before", [[0, 0, 0], [2, 0, 1], [1, 1, 2]])
def test_the_frames_that_may_follow_have_a_sum_of_one(chained: bool, before: list[int]) -> None:
    model = composer(chained=chained)
    frames = possible_frames(before)
    states = np.array([[[2, 2, 2], before, frame] for frame in frames])
    nats = frame_nats(states[:, 1:], model(states)).numpy()[:, 1]
    assert np.exp(-nats.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
    assert len(set(np.round(nats, 4))) == len(frames)


def test_a_silent_pitch_that_is_held_is_impossible() -> None:
    states = np.array([[[SILENT], [HELD]]])
    model = composer(pitches=1)
    assert np.exp(-frame_nats(states[:, 1:], model(states)).numpy()).max() == 0


@pytest.mark.parametrize("chained", [True, False])
def test_a_pitch_depends_on_the_past_and_on_the_pitches_below(chained: bool) -> None:
    """A change of one cell changes later frames, and in its own frame what is above it."""
    model = composer(pitches=40, chained=chained)
    states = np.ones((1, 6, 40), np.int32)
    states[0, 0] = STRUCK
    plain = model(states).numpy()
    states[0, 3, 7] = STRUCK
    changed = (model(states).numpy() != plain).any(axis=(0, 3))
    assert not changed[:2].any()  # Frames 1 and 2.
    assert not changed[2, :8].any()
    assert changed[2, 8:].any() == chained
    assert changed[2, 8] == chained
    assert changed[2, 39] == chained  # Beyond the reach of the kernel, by the count.
    assert changed[3:].all(axis=1).all()


def test_stepping_gives_what_the_sequence_gives() -> None:
    model = composer(pitches=30)
    states = np.random.default_rng(1).integers(0, 3, (2, 9, 30)).astype(np.int32)
    states[:, 0] = SILENT
    whole = model(states).numpy()
    state = model.start(2)
    for number in range(1, 9):
        found, state = model.hear(state, tf.constant(states[:, number]))
        np.testing.assert_allclose(found, whole[:, number - 1], atol=2e-5, rtol=1e-5)


def test_weights_are_those_of_the_seed() -> None:
    first, same, other = (Composer(ComposerConfig(units=3, channels=2, seed=k)) for k in (1, 1, 2))
    for model in (first, same, other):
        model.build()
    for one, two in zip(first.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.trunk.get_weights()[0] != other.trunk.get_weights()[0]).any()


def test_fit_reads_a_dataset_and_learns_and_a_saved_model_is_the_same(
    rolls: Path, tmp_path: Path
) -> None:
    reader = open_dataset(str(rolls), features=("notes", "onsets"), batch_size=4)
    model = Composer(SMALL)
    model.compile(keras.optimizers.Adam(0.01), RollLikelihood(), weighted_metrics=[BitsPerFrame()])
    examples = reader.as_tf_dataset(composing_example(model.config))
    history = model.fit(examples, epochs=3, shuffle=False, verbose=0).history
    assert history["bits"][-1] < history["bits"][0]
    np.testing.assert_allclose(np.array(history["bits"]) * np.log(2), history["loss"], rtol=0.05)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.config == model.config
    inputs = next(iter(examples))[0]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_padding_counts_nothing() -> None:
    states = np.ones((1, 5, 3), np.int32)
    log_probs = composer()(states)
    weights = np.array([[1, 1, 0, 0]], np.float32)
    metric = BitsPerFrame()
    metric.update_state(states[:, 1:], log_probs, weights)
    nats = frame_nats(states[:, 1:], log_probs).numpy()[0, :2]
    assert float(metric.result()) == pytest.approx(nats.mean() / np.log(2), rel=1e-5)
    loss = RollLikelihood()(states[:, 1:], log_probs, weights)
    assert float(loss) == pytest.approx(nats.mean(), rel=1e-5)
