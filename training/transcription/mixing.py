"""Windows sounding together: training examples of chords that nobody played."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

MIXED = 0.8
"""The share of windows that another one is added to."""

LEAST_GAIN_DB = -12.0
"""The other window is softer by up to this much."""

Arrays = dict[str, tf.Tensor]


def mixed(
    inputs: Arrays, targets: Arrays, weights: Arrays, seed: tf.Tensor
) -> tuple[Arrays, Arrays, Arrays]:
    """An example of `transcription_example`, where most windows have another one added to them.

    The other one is the window before it in the batch. Samples add up, and so do the powers behind
    levels in dB, which is what independent sounds do on average. A note sounds or begins where it
    does in either; frames count that are valid in both. The draws are a function of `seed`, int32
    [2]. A small dataset has few chords, which a model would otherwise learn as wholes (mixing of
    training sounds: Uhlich et al. 2017, Improving music source separation based on deep neural
    networks through data augmentation and network blending).
    """
    count = tf.shape(next(iter(weights.values())))[0]
    draws = tf.random.stateless_uniform([2, count, 1], seed)
    is_mixed = draws[0] < MIXED
    gain_db = LEAST_GAIN_DB * draws[1]
    found = dict(inputs)
    if "log_mel" in inputs:
        each = is_mixed[..., tf.newaxis]
        other = _before(inputs["log_mel"]) + gain_db[..., tf.newaxis]
        found["log_mel"] = tf.where(each, _sum_db(inputs["log_mel"], other), inputs["log_mel"])
    if "waveform" in inputs:
        other = _before(inputs["waveform"]) * 10 ** (gain_db / 20)
        found["waveform"] = inputs["waveform"] + tf.where(is_mixed, other, 0.0)
    notes = {
        name: tf.where(is_mixed[..., tf.newaxis], tf.maximum(roll, _before(roll)), roll)
        for name, roll in targets.items()
    }
    valid = {
        name: tf.where(is_mixed, weight * _before(weight), weight)
        for name, weight in weights.items()
    }
    return found, notes, valid


def _before(windows: tf.Tensor) -> tf.Tensor:
    return tf.roll(windows, 1, axis=0)


def _sum_db(one: tf.Tensor, other: tf.Tensor) -> Any:
    """The level of two powers together: all in dB."""
    to_nepers = np.float32(np.log(10) / 10)
    return tf.reduce_logsumexp(tf.stack([one, other]) * to_nepers, axis=0) / to_nepers
