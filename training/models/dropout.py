"""Dropout that training resumes bit for bit."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="musicnet_duet")
class Dropout(keras.layers.Layer):
    """Sets a share `rate` of its inputs to 0 in training, and scales the others up to make up.

    As `keras.layers.Dropout`, but the draws are a function of `seed` and of how many came before,
    which is saved: Keras does not save the states of its `SeedGenerator`.
    """

    def __init__(self, rate: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def build(self, input_shape: Any) -> None:
        self.draws = self.add_weight(
            name="draws", shape=(), initializer="zeros", dtype="int64", trainable=False
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        seed = tf.stack([self.seed, self.draws.assign_add(1)])
        kept = tf.random.stateless_uniform(tf.shape(inputs), seed) >= self.rate
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
