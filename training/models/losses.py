"""The loss and the metric of a model that gives packed mixtures; for `compile`."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from training.models.likelihood import Mixture, log_prob, nearest_levels


def frame_nats(log_mel: tf.Tensor, packed: tf.Tensor) -> tf.Tensor:
    """-log p of each frame per bin, natural logarithm: float32 [batch, frames].

    `log_mel` is in dB, [batch, frames, n_mels]; `packed` is what `Mixture.pack` gives.
    """
    return -tf.reduce_mean(log_prob(Mixture.unpack(packed), nearest_levels(log_mel)), axis=-1)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class NegativeLogLikelihood(keras.losses.Loss):
    """`frame_nats`, averaged over the frames by their weights: padding counts nothing."""

    def __init__(
        self,
        reduction: str = "mean_with_sample_weight",
        name: str = "negative_log_likelihood",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return frame_nats(y_true, y_pred)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class BitsPerDimension(keras.metrics.Mean):
    """The mean of `frame_nats` over all frames by their weights, in bits."""

    def __init__(self, name: str = "bits", dtype: Any = "float32") -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        super().update_state(frame_nats(y_true, y_pred) / math.log(2), sample_weight)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class FrameCount(keras.metrics.Sum):
    """How many frames were counted: the sum of their weights, so padding is not counted."""

    def __init__(self, name: str = "frames", dtype: Any = "float32") -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        weights = tf.ones(tf.shape(y_true)[:2]) if sample_weight is None else sample_weight
        super().update_state(weights)
