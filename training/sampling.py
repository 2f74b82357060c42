"""Free-running samples: each frame is drawn from the model and becomes its next input."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.likelihood import sample
from training.model import SpectrogramModel


def sample_levels(
    model: SpectrogramModel,
    frames: int,
    *,
    seed: int,
    temperature: float,
    prime: NDArray[np.int32] | None = None,
) -> NDArray[np.int32]:
    """`frames` frames of grid indices, int32 [frames, n_mels], that follow those of `prime`.

    `prime` int32 [any, n_mels] is the model's input before the first frame that it draws; it is not
    part of the result. All randomness is numpy's PCG64 of `seed`: the same seed, model and machine
    give the same levels.
    """
    n_mels = model.config.n_mels
    before = np.empty((0, n_mels), np.int32) if prime is None else prime
    uniform = np.random.default_rng(seed).random((frames, 2, 1, n_mels))
    # Away from 0 and 1, whose logarithms are infinite, also after rounding to float32.
    uniform = np.clip(uniform, 1e-7, 1 - 1e-7).astype(np.float32)
    run = tf.function(_run, reduce_retracing=True)
    levels = run(model, tf.constant(before), tf.constant(uniform), tf.constant(temperature))
    return levels.numpy()


def _run(
    model: SpectrogramModel, prime: tf.Tensor, uniform: tf.Tensor, temperature: tf.Tensor
) -> tf.Tensor:
    frame, state = model.start(1)
    for number in tf.range(tf.shape(prime)[0]):
        _, state = model.step(frame, state)
        frame = model.normalize(prime[number][tf.newaxis])
    count = tf.shape(uniform)[0]
    drawn = tf.TensorArray(tf.int32, count, element_shape=[1, model.config.n_mels])
    for number in tf.range(count):
        mixture, state = model.step(frame, state)
        levels = sample(mixture, uniform[number], temperature)
        drawn = drawn.write(number, levels)
        frame = model.normalize(levels)
    return drawn.concat()
