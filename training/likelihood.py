"""A mixture of discretized logistics over the grid of levels.

Salimans, Karpathy, Chen and Kingma (2017), "PixelCNN++", equation 2: a level's probability is the
mass that a mixture of logistic distributions has within half a step of it; the mass beyond the
grid belongs to the edge levels, so that the masses sum to one. With a and b the ends of the step,
standardized, and sigma(b) - sigma(a) = sigma(b) * sigma(-a) * (1 - exp(a - b)), its logarithm is a
sum of terms that are all finite however far the level is from the mean.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import tensorflow as tf

from training.grid import HIGHEST_DB, LOWEST_DB, N_LEVELS, STEP_DB

MIN_SCALE_DB = 0.1
MAX_SCALE_DB = 50.0
REACH_DB = HIGHEST_DB - LOWEST_DB
"""A mean is at most this far from the level that it is relative to."""

_LOG_MIN, _LOG_MAX = math.log(MIN_SCALE_DB), math.log(MAX_SCALE_DB)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Distributions of levels, each a mixture of K logistics; float32 tensors [..., K, n_mels].

    `log_weights` sum to 1 over K once exponentiated; `means` and `scales` are in dB.
    """

    log_weights: tf.Tensor
    means: tf.Tensor
    scales: tf.Tensor


def mixture_from(raw: tf.Tensor, reference_db: tf.Tensor, std_db: tf.Tensor) -> Mixture:
    """The mixture that a network's outputs mean. Any finite `raw` gives a usable one.

    `raw` [..., 3, K, n_mels] holds logits, means and scales, without bounds; a mean of 0 is
    `reference_db` [..., n_mels] and a mean of 1 one standard deviation `std_db` [n_mels] above it;
    a scale of 0 is the geometric middle of the allowed ones.
    """
    logits, shifts, widths = tf.unstack(raw, num=3, axis=-3)
    means = reference_db[..., tf.newaxis, :] + REACH_DB * tf.tanh(shifts * (std_db / REACH_DB))
    scales = tf.exp(_LOG_MIN + (_LOG_MAX - _LOG_MIN) * tf.sigmoid(widths))
    return Mixture(tf.nn.log_softmax(logits, axis=-2), means, scales)


def log_prob(mixture: Mixture, levels: tf.Tensor) -> tf.Tensor:
    """Natural logarithm of the probability of `levels` (int32 grid indices, [..., n_mels]).

    Returns float32 of the same shape.
    """
    indices = levels[..., tf.newaxis, :]
    above_lowest = tf.cast(indices > 0, tf.float32)
    below_highest = tf.cast(indices < N_LEVELS - 1, tf.float32)
    db = LOWEST_DB + STEP_DB * tf.cast(indices, tf.float32)
    width = STEP_DB / mixture.scales
    upper = (db + STEP_DB / 2 - mixture.means) / mixture.scales
    terms = (
        below_highest * -tf.nn.softplus(-upper)
        + above_lowest * -tf.nn.softplus(upper - width)
        + above_lowest * below_highest * tf.math.log(-tf.math.expm1(-width))
    )
    return tf.reduce_logsumexp(mixture.log_weights + terms, axis=-2)


def mean_db(mixture: Mixture) -> tf.Tensor:
    """The expected level in dB, within the grid: [..., n_mels]."""
    mean = tf.reduce_sum(tf.exp(mixture.log_weights) * mixture.means, axis=-2)
    return tf.clip_by_value(mean, LOWEST_DB, HIGHEST_DB)


def sample(mixture: Mixture, uniform: tf.Tensor, temperature: tf.Tensor | float) -> tf.Tensor:
    """Levels (int32 grid indices, [..., n_mels]) drawn from the mixture with random `uniform`.

    `uniform` is float32 [2, ..., n_mels] in (0, 1): the first picks the component, the second the
    quantile of it. `temperature` divides the logits of the components and multiplies their scales:
    1 samples from the model, less keeps nearer to its means.
    """
    weights = tf.nn.softmax(mixture.log_weights / temperature, axis=-2)
    below = tf.cumsum(weights, axis=-2, exclusive=True)
    component = tf.cast(uniform[0][..., tf.newaxis, :] >= below, tf.float32)
    # The last component whose cumulative weight lies below the number is the one that is drawn.
    chosen = component - tf.concat(
        [component[..., 1:, :], tf.zeros_like(component[..., :1, :])], -2
    )
    mean = tf.reduce_sum(chosen * mixture.means, axis=-2)
    scale = tf.reduce_sum(chosen * mixture.scales, axis=-2)
    noise = tf.math.log(uniform[1]) - tf.math.log1p(-uniform[1])
    db = mean + temperature * scale * noise
    indices = tf.round((db - LOWEST_DB) / STEP_DB)
    return tf.cast(tf.clip_by_value(indices, 0.0, N_LEVELS - 1.0), tf.int32)


def bits(negative_log_likelihood: Any) -> Any:
    """Natural logarithms (a float, array or tensor) as bits."""
    return negative_log_likelihood / math.log(2)
