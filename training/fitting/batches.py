"""The batches of a run: which windows each step is given, and what is changed in them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from training.config import TrainingConfig
from training.models.frame_model import density_example
from training.reading.reader import Reader

_GAIN = 1
"""Keeps the draws of the gain apart from others of the same seed and step."""


def reader_state(reader: Reader, step: int) -> dict[str, int]:
    """The state of an iterator of `reader` after `step` batches from the first one on."""
    epoch, batches = divmod(step, reader.batches_per_epoch)
    return {"epoch": epoch, "position": batches * reader.options.batch_size}


def training_batches(reader: Reader, training: TrainingConfig, step: int) -> tf.data.Dataset:
    """Inputs, targets and weights for `fit`, without end, from the batch after `step` steps on."""
    batches = reader.as_tf_dataset(state=reader_state(reader, step))
    floor_db = reader.dataset.config.floor_db

    def example(number: tf.Tensor, batch: dict[str, Any]) -> tuple[tf.Tensor, ...]:
        seed = tf.stack([training.seed, tf.cast(number, tf.int32)])
        log_mel = with_gain(batch["log_mel"], training.gain_db, seed, floor_db)
        return density_example({**batch, "log_mel": log_mel})

    return batches.enumerate(step).map(example)


def with_gain(log_mel: tf.Tensor, gain_db: float, seed: tf.Tensor, floor_db: float) -> tf.Tensor:
    """`log_mel` [batch, frames, n_mels] in dB, each window louder or softer by a gain of its own.

    Gains are uniform from `-gain_db` to `gain_db`, a function of `seed`, int32 [2]. What is at the
    floor, or would be below it, is at the floor.
    """
    if not gain_db:
        return log_mel
    seed = tf.random.experimental.stateless_fold_in(seed, _GAIN)
    windows = tf.stack([tf.shape(log_mel)[0], 1, 1])
    gains = tf.random.stateless_uniform(windows, seed, -gain_db, gain_db)
    return tf.where(log_mel > floor_db, tf.maximum(log_mel + gains, floor_db), log_mel)
