"""Noise in the inputs of training, against exposure bias.

A model that was trained on true inputs alone does not recover from its own errors: run freely, its
bins wander off one by one. So most windows have noise in their inputs that wanders in each bin by
itself, and the target is the level on its way back to the true one (the idea of Venkatraman, Hebert
and Bagnell, 2015, "Improving multi-step prediction of learned time series models"). Validation and
every score have true inputs.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SHARE = 0.7
"""Of the windows that have noise in their inputs."""

RETURN = 0.2
"""Of a bin's noise that is gone in the next frame's target."""

_MEMORY = 0.95  # correlation of a bin's noise from frame to frame
_JITTER = 0.1  # white noise beside it, of its size


def draw_input_noise(shape: tf.Tensor, input_noise_db: float, seed: tf.Tensor) -> tf.Tensor:
    """Noise in dB, float32 of `shape` (batch, frames, n_mels): a function of `seed`, int32 [2].

    A window's standard deviation is uniform from 0 to `input_noise_db`, or 0 for those left as they
    are; the noise is a stationary first-order autoregression, and some white jitter.
    """
    seeds = tf.random.experimental.stateless_split(seed, 4)
    each = tf.stack([shape[0], 1, 1])
    chosen = tf.cast(tf.random.stateless_uniform(each, seeds[0]) < SHARE, tf.float32)
    strength = chosen * tf.random.stateless_uniform(each, seeds[1])
    slow = tf.einsum("tf,bfm->btm", _filter(shape[1]), tf.random.stateless_normal(shape, seeds[2]))
    jitter = _JITTER * tf.random.stateless_normal(shape, seeds[3])
    return input_noise_db * strength * (slow + jitter)


def remaining_noise(noise_db: tf.Tensor) -> tf.Tensor:
    """What the targets keep of the frame before's noise, in dB: same shape as `noise_db`."""
    return (1 - RETURN) * tf.pad(noise_db[:, :-1], [[0, 0], [1, 0], [0, 0]])


def _filter(frames: tf.Tensor) -> tf.Tensor:
    """[frames, frames]: makes white noise along the frames an autoregression of variance 1."""
    index = tf.cast(tf.range(frames), tf.float32)
    age = index[:, tf.newaxis] - index
    gain = tf.where(index == 0, 1.0, np.sqrt(1 - _MEMORY**2))
    return tf.where(age >= 0, gain * _MEMORY ** tf.maximum(age, 0.0), 0.0)
