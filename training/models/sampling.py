"""Free-running samples: each frame is drawn from the model and becomes its next input."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.models.frame_model import FrameModel

SAMPLING_NOISE = 0.1
"""The level of noise at which a model hears its own frames: a sample's are not quite true ones."""


def sample_levels(
    model: FrameModel,
    frames: int,
    *,
    seeds: list[int],
    temperature: float = 1.0,
    noise_level: float = 0.0,
    prime: NDArray[np.int32] | None = None,
) -> NDArray[np.int32]:
    """A piece for each of `seeds`: grid indices, int32 [seeds, frames, n_mels].

    `prime` int32 [any, n_mels] is what the model hears before the first frame that it draws; it is
    not part of the result. `noise_level` is what the network is given as the level of the noise in
    its inputs, in standard deviations of a bin: somewhat above 0, it corrects its own errors more.
    All randomness of a piece is numpy's PCG64 of its seed.
    """
    before = np.empty((0, model.config.n_mels), np.int32) if prime is None else prime
    drawn = [np.random.default_rng(seed).random((frames, 2, model.config.n_mels)) for seed in seeds]
    # Away from 0 and 1, whose logarithms are infinite, also after rounding to float32.
    uniform = np.clip(np.stack(drawn, axis=2), 1e-7, 1 - 1e-7).astype(np.float32)
    primes = np.repeat(before[:, np.newaxis], len(seeds), axis=1)
    numbers = (primes, uniform, np.float32(temperature), np.float32(noise_level))
    levels = _run(model, *map(tf.constant, numbers))
    return np.swapaxes(levels.numpy(), 0, 1)


def _sampled(
    model: FrameModel,
    primes: tf.Tensor,
    uniform: tf.Tensor,
    temperature: tf.Tensor,
    noise_level: tf.Tensor,
) -> tf.Tensor:
    """Levels [frames, pieces, n_mels]; `primes` has the same layout."""
    state = model.start(tf.shape(uniform)[2], noise_level)
    for levels in primes:
        _, state = model.hear(state, levels)
    count = tf.shape(uniform)[0]
    drawn = tf.TensorArray(tf.int32, count)
    for number in tf.range(count):
        levels, state = model.sample(state, uniform[number], temperature)
        drawn = drawn.write(number, levels)
    return drawn.stack()


_run = tf.function(_sampled, reduce_retracing=True)
