"""The mixture of discretized logistics that models have, about means that others predict."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.grid import dequantize
from training.models.likelihood import Mixture, bounded_log_scale, log_prob

MIXTURES = 3
STEPS = 300
BATCH_FRAMES = 512
LEARNING_RATE = 0.1
_MIN_STD_DB = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Residual:
    """How levels lie about their predicted means, bin by bin.

    `raw` float32 [3, K, n_mels] holds logits, means and scales, without bounds: a mean of 0 is the
    predicted one and a mean of 1 one standard deviation `std_db` float32 [n_mels] above it; scales
    are those of `likelihood.bounded_log_scale`.
    """

    raw: NDArray[np.float32]
    std_db: NDArray[np.float32]

    def bits(self, levels: NDArray[Any], mean_db: NDArray[Any]) -> NDArray[np.float32]:
        """-log2 p of `levels` [frames, n_mels], given their predicted means in dB."""
        nats = _negative_log_prob(self.raw, self.std_db, levels, mean_db)
        found: NDArray[np.float32] = nats.numpy() / np.float32(np.log(2))
        return found


def fit_residual(levels: NDArray[Any], mean_db: NDArray[Any], *, seed: int = 0) -> Residual:
    """Maximizes the likelihood of `levels` [frames, n_mels], given their predicted means in dB.

    By Adam, in steps of a few hundred frames. The same arguments and machine give the same result,
    and no global seed is set. Without frames, it is the distribution that a model begins with.
    """
    n_mels = levels.shape[1]
    raw = np.zeros((3, MIXTURES, n_mels), np.float32)
    raw[2] += np.linspace(-1, 1, MIXTURES)[:, np.newaxis]
    if not len(levels):
        return Residual(raw, np.full(n_mels, _MIN_STD_DB, np.float32))
    db = np.asarray(mean_db, np.float32)
    std_db = np.maximum((dequantize(levels) - db).std(axis=0), _MIN_STD_DB).astype(np.float32)
    variable = tf.Variable(raw)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build([variable])

    def step(batch: tf.Tensor, batch_mean_db: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            bins = _negative_log_prob(variable, std_db, batch, batch_mean_db)
            loss = tf.reduce_mean(tf.reduce_sum(bins, axis=1))
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])

    compiled = tf.function(step)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        chosen = rng.integers(len(levels), size=BATCH_FRAMES)
        compiled(tf.constant(levels[chosen], tf.int32), tf.constant(db[chosen]))
    return Residual(variable.numpy(), std_db)


def _negative_log_prob(raw: Any, std_db: Any, levels: Any, mean_db: Any) -> tf.Tensor:
    reference_db = tf.cast(mean_db, tf.float32)
    # The likelihood's gradient takes parameters that have the shape of the levels.
    logits, shifts, scales = (
        [tf.broadcast_to(row, tf.shape(reference_db)) for row in tf.unstack(rows)]
        for rows in tf.unstack(tf.convert_to_tensor(raw))
    )
    mixture = Mixture(
        tuple(logits),
        tuple(reference_db + std_db * shift for shift in shifts),
        tuple(bounded_log_scale(scale) for scale in scales),
    )
    return -log_prob(mixture, tf.cast(levels, tf.int32))
