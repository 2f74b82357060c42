"""Noise in the inputs of training, at a level that the network is given.

A model that was trained on true inputs alone does not recover from its own errors: run freely, its
bins wander off one by one. So the inputs of training have noise that wanders in each bin by itself,
the network is given the noise's standard deviation, and the targets remain the true levels
(Pasini, Nistal, Lattner and Fazekas, 2024, "Continuous Autoregressive Models with Noise
Augmentation Avoid Error Accumulation", arXiv 2411.18447). At level 0 the inputs are true too.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

MEMORY = 0.95
"""The correlation of a bin's noise from frame to frame."""

POWER = 3
"""Of a uniform number, which makes most levels small.

With 2, the model learns too little of true inputs: on the demo's data, it needs 0.02 bits per
dimension more, and its samples are noisier. With 4 and more, samples recover worse from their own
errors.
"""


@keras.saving.register_keras_serializable(package="musicnet_duet")
class InputNoise(keras.layers.Layer):
    """Adds noise in training: each window has a level from 0 to `max_level`.

    The level is `max_level` times the `POWER` of a uniform number. Most windows are nearly true:
    half of them have an eighth of `max_level` or less. The noise of a bin is a
    stationary first-order autoregression with the level as its standard deviation. The draws are a
    function of `seed` and of how many came before, which is saved.
    """

    def __init__(self, max_level: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_level, self.seed = max_level, seed

    def build(self, input_shape: Any) -> None:
        # Keras saves the weights of layers and not the states of its `SeedGenerator`.
        self.draws = self.add_weight(
            name="draws", shape=(), initializer="zeros", dtype="int64", trainable=False
        )

    def call(self, frames: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """`frames` [batch, frames, n_mels] with noise, and the levels of it [batch, 1, 1]."""
        shape = tf.shape(frames)
        windows = tf.stack([shape[0], 1, 1])
        if not training or not self.max_level:
            return frames, tf.zeros(windows)
        seeds = tf.random.split(tf.stack([self.seed, self.draws.assign_add(1)]), 2)
        level = self.max_level * tf.random.stateless_uniform(windows, seeds[0]) ** POWER
        white = tf.random.stateless_normal(shape, seeds[1])
        return with_noise(frames, white, level), level

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_level": self.max_level, "seed": self.seed}


def with_noise(frames: tf.Tensor, white: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """`frames` and autoregressive noise of deviation `level`; level 0 changes no bit.

    `white` is standard normal and of the shape of `frames`, [batch, frames, n_mels]; `level` is
    [batch, 1, 1].
    """
    return frames + level * tf.einsum("tf,bfm->btm", _filter(tf.shape(frames)[1]), white)


def _filter(frames: tf.Tensor) -> tf.Tensor:
    """[frames, frames]: makes white noise along the frames an autoregression of variance 1."""
    index = tf.cast(tf.range(frames), tf.float32)
    age = index[:, tf.newaxis] - index
    gain = tf.where(index == 0, 1.0, np.sqrt(1 - MEMORY**2))
    return tf.where(age >= 0, gain * MEMORY ** tf.maximum(age, 0.0), 0.0)
