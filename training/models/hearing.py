"""What a model hears of a spectrogram: the last frame and how it changed, normalized."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from training.grid import LOWEST_DB, STEP_DB
from training.models.likelihood import nearest_levels

MIN_STD_DB = 1.0
"""A bin that hardly moves in the training split is normalized as if it moved by this much."""


@keras.saving.register_keras_serializable(package="musicnet_duet")
class Hearing(keras.layers.Layer):
    """Normalizes levels, and delays them by a frame.

    The statistics are weights that are not trained, 0 and 1 until `set_statistics`.
    """

    def build(self, input_shape: Any) -> None:
        n_mels = input_shape[-1]
        for name, initializer in (("mean_db", "zeros"), ("std_db", "ones")):
            weight = self.add_weight(
                name=name, shape=(n_mels,), initializer=initializer, trainable=False
            )
            setattr(self, name, weight)

    def set_statistics(self, mean_db: ArrayLike, std_db: ArrayLike) -> None:
        """`mean_db` and `std_db` [n_mels] are those of the training split, in dB."""
        self.mean_db.assign(np.asarray(mean_db, np.float32))
        self.std_db.assign(np.maximum(np.asarray(std_db, np.float32), MIN_STD_DB))

    def call(self, log_mel: tf.Tensor) -> tf.Tensor:
        """dB [..., n_mels] as levels of the grid, normalized: float32 of the same shape."""
        return self.normalize(nearest_levels(log_mel))

    def normalize(self, levels: tf.Tensor) -> tf.Tensor:
        """Grid indices [..., n_mels] as float32: mean 0 and deviation 1 in the training split."""
        db = LOWEST_DB + STEP_DB * tf.cast(levels, tf.float32)
        return (db - self.mean_db) / self.std_db

    def to_db(self, normalized: tf.Tensor) -> tf.Tensor:
        """Normalized levels [..., n_mels] in dB."""
        return normalized * self.std_db + self.mean_db


def delayed(frames: tf.Tensor, by: int = 1) -> tf.Tensor:
    """The frame `by` before each of `frames` [batch, frames, n_mels]; before the first, zeros."""
    return tf.pad(frames, [[0, 0], [by, 0], [0, 0]])[:, : tf.shape(frames)[1]]


def features(frames: tf.Tensor, frames_before: tf.Tensor, noise_level: tf.Tensor) -> tf.Tensor:
    """What the trunk is given: normalized frames, their changes and the level of their noise.

    `frames` and `frames_before` are [..., n_mels], `noise_level` broadcasts to [..., 1]; returns
    [..., 2 * n_mels + 1].
    """
    level = tf.broadcast_to(noise_level, [*tf.unstack(tf.shape(frames))[:-1], 1])
    return tf.concat([frames, frames - frames_before, level], axis=-1)


def features_width(n_mels: int) -> int:
    """The last axis of `features`."""
    return 2 * n_mels + 1
