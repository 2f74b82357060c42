"""The batches of a run: which windows each step is given, and what is changed in them."""

from __future__ import annotations

from collections.abc import Mapping
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
        return density_example(with_gain(batch, training.gain_db, seed, floor_db))

    return batches.enumerate(step).map(example)


def with_gain(
    batch: Mapping[str, tf.Tensor], gain_db: float, seed: tf.Tensor, floor_db: float
) -> Mapping[str, tf.Tensor]:
    """`batch` with each window louder or softer by a gain of its own, its waveform as well.

    Gains are uniform from `-gain_db` to `gain_db`, a function of `seed`, int32 [2]. Of `log_mel`
    [batch, frames, n_mels], what is at the floor, or would be below it, is at the floor. A
    `waveform` becomes float32, and is not clipped.
    """
    if not gain_db:
        return batch
    log_mel = batch["log_mel"]
    seed = tf.random.experimental.stateless_fold_in(seed, _GAIN)
    windows = tf.stack([tf.shape(log_mel)[0], 1, 1])
    gains = tf.random.stateless_uniform(windows, seed, -gain_db, gain_db)
    louder = tf.where(log_mel > floor_db, tf.maximum(log_mel + gains, floor_db), log_mel)
    changed = {**batch, "log_mel": louder}
    if "waveform" in batch:
        factors = tf.pow(10.0, gains[:, :, 0] / 20)
        changed["waveform"] = tf.cast(batch["waveform"], tf.float32) * factors
    return changed
