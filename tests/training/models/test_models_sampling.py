from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest

from training.grid import N_LEVELS, dequantize
from training.models import FrameModel, FrameModelConfig, SamplingConfig, sample_levels
from training.models.likelihood import Mixture, log_prob
from training.models.sampling import BLOCK_FRAMES

N_MELS = 8


def model_of(head: str) -> FrameModel:
    """A model with weights large enough for past and chain to matter."""
    model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(12,), head=head))
    model.set_statistics(np.linspace(-20, -60, N_MELS), np.linspace(5, 12, N_MELS))
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


@pytest.mark.parametrize("head", ["chained", "independent"])
def test_a_sample_has_the_likelihood_that_teacher_forcing_gives_it(head: str) -> None:
    """Its shares of the mass below each level are uniform: a sound sampler fails at 1e-4."""
    model = model_of(head)
    levels = sample_levels(model, 60, seeds=list(range(6)))
    mixture = Mixture.unpack(model(dequantize(levels))[:, :, tf.newaxis])
    each = np.broadcast_to(
        np.arange(N_LEVELS)[:, np.newaxis], (*levels.shape[:2], N_LEVELS, N_MELS)
    )
    masses = np.exp(log_prob(mixture, tf.constant(each, tf.int32)).numpy().astype(np.float64))
    here = each == levels[:, :, np.newaxis]
    below = (masses * (each < levels[:, :, np.newaxis])).sum(axis=2)
    inside = (masses * here).sum(axis=2)
    share = below + np.random.default_rng(1).random(below.shape) * inside
    assert kstest(share.ravel(), "uniform").pvalue > 1e-4


def test_a_piece_is_a_function_of_its_seed_alone() -> None:
    model = model_of("chained")
    together = sample_levels(model, 12, seeds=[3, 4])
    assert together.shape == (2, 12, N_MELS)
    assert together.dtype == np.int32
    np.testing.assert_array_equal(together, sample_levels(model, 12, seeds=[3, 4]))
    # The arithmetic of a batch may round otherwise, and a level that differs changes what follows.
    for number, seed in enumerate([3, 4]):
        alone = sample_levels(model, 12, seeds=[seed])[0]
        np.testing.assert_array_equal(together[number, 0], alone[0])
    assert (together[0] != together[1]).any()


def test_a_prime_is_heard_and_is_not_part_of_the_result() -> None:
    model = model_of("chained")
    prime = np.full((5, N_MELS), 200, np.int32)
    primed = sample_levels(model, 4, seeds=[0], prime=prime)
    assert primed.shape == (1, 4, N_MELS)
    assert (primed != sample_levels(model, 4, seeds=[0])).any()


def test_sampling_goes_on_from_what_it_drew() -> None:
    """A prime of drawn frames and the random numbers that follow give the frames that follow."""
    model = model_of("chained")
    drawn = sample_levels(model, 8, seeds=[0])[0]
    state = model.start(1)
    for levels in drawn[:5]:
        _, state = model.hear(state, tf.constant(levels[np.newaxis]))
    uniform = np.random.default_rng(0).random((8, 2, N_MELS))[:, :, np.newaxis]
    for number in range(5, 8):
        levels, state = model.sample(state, tf.constant(uniform[number], tf.float32), 1.0)
        np.testing.assert_array_equal(levels[0], drawn[number])


def test_a_low_temperature_repeats_itself_whatever_the_seed() -> None:
    pieces = sample_levels(
        model_of("chained"), 20, seeds=[1, 2], config=SamplingConfig(temperature=1e-9)
    )
    np.testing.assert_array_equal(pieces[0], pieces[1])


def test_the_network_is_given_the_noise_level() -> None:
    model = model_of("chained")
    plain = sample_levels(model, 6, seeds=[0])
    noisy = sample_levels(model, 6, seeds=[0], config=SamplingConfig(noise_level=3))
    assert (noisy != plain).any()


def test_a_frame_is_heard_nearer_to_its_mean_by_the_leak() -> None:
    """With all of it, each frame is the first one: the model hears nothing but means."""
    model = model_of("independent")
    levels = tf.constant([[40] * N_MELS], tf.int32)
    _, state = model.hear(model.start(1, leak=0.25), levels)
    np.testing.assert_allclose(state.frame, 0.75 * model.hearing.normalize(levels), rtol=1e-6)
    uniform = tf.fill([2, 1, N_MELS], 0.3)
    drawn, state = model.sample(model.start(1, leak=0.25), uniform, 1.0)
    np.testing.assert_allclose(state.frame, 0.75 * model.hearing.normalize(drawn), rtol=1e-6)


def test_a_leak_holds_a_model_that_wanders() -> None:
    """Bins that repeat themselves, each frame with new noise, are a random walk without it."""
    model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(1,), head="independent"))
    model.set_statistics(np.full(N_MELS, -60.0), np.full(N_MELS, 10.0))
    for variable in model.trunk[0].trainable_variables:
        variable.assign(tf.zeros_like(variable))
    wanders, held = (
        dequantize(sample_levels(model, 2_000, seeds=[0, 1], config=SamplingConfig(leak=leak)))
        for leak in (0.0, 0.2)
    )
    assert np.std(held) < 0.5 * np.std(wanders)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.5])
def test_the_first_frames_do_not_depend_on_how_many_follow(temperature: float) -> None:
    model = model_of("chained")
    longer, shorter = (
        sample_levels(model, frames, seeds=[0], config=SamplingConfig.for_music(temperature))[0]
        for frames in (30, 10)
    )
    np.testing.assert_array_equal(longer[:10], shorter)
    assert 0 <= longer.min() <= longer.max() < N_LEVELS


@pytest.mark.parametrize("frames", [BLOCK_FRAMES - 1, BLOCK_FRAMES, BLOCK_FRAMES + 1])
def test_a_piece_begins_as_a_longer_one_does_at_the_seams_of_blocks(frames: int) -> None:
    model = model_of("chained")
    longer, shorter = (
        sample_levels(model, count, seeds=[0, 1]) for count in (2 * BLOCK_FRAMES + 7, frames)
    )
    np.testing.assert_array_equal(longer[:, :frames], shorter)


def test_memory_beyond_the_result_does_not_grow_with_the_frames() -> None:
    model = model_of("chained")
    sample_levels(model, 1, seeds=[0])
    beyond = []
    for blocks in (2, 12):
        gc.collect()
        tracemalloc.start()
        levels = sample_levels(model, blocks * BLOCK_FRAMES, seeds=[0])
        beyond.append(tracemalloc.get_traced_memory()[1] - levels.nbytes)
        tracemalloc.stop()
    # The random numbers of a frame take 2 * 8 bytes a bin, those of the ten blocks 330 kB.
    assert beyond[1] - beyond[0] < 100_000


def handles_after_a_dropped_model() -> int:
    """How many handles of variables are held anywhere, each of which keeps a variable's memory."""
    model = model_of("chained")
    sample_levels(model, 3, seeds=[0], prime=np.zeros((2, N_MELS), np.int32))
    reference = weakref.ref(model)
    del model
    # What a weak mapping held becomes garbage when its key is collected.
    for _ in range(3):
        gc.collect()
    assert reference() is None
    # Weak proxies stand for objects that are gone, and say so where their class is asked for.
    handles = [each for each in gc.get_objects() if issubclass(type(each), tf.Tensor)]
    return sum(each.dtype == tf.resource for each in handles)


def test_a_model_that_is_dropped_leaves_nothing_behind() -> None:
    assert handles_after_a_dropped_model() == handles_after_a_dropped_model()
