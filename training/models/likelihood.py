"""A bounded, exactly normalized mixture of discretized logistics over the grid of levels.

With a and b the ends of a level's step, standardized, its probability is

    (1 - FLOOR) * sum_k w_k (sigma(b_k) - sigma(a_k)) + FLOOR / N_LEVELS

as in equation 2 of Salimans, Karpathy, Chen and Kingma (2017), "PixelCNN++", and a share of the
uniform distribution. The edge levels take the mass beyond the grid. The differences telescope, so
the probabilities sum to one; no level costs more than `MAX_BITS`; and no gradient of the logarithm
exceeds 1 / MIN_SCALE_DB per dB.

Every parameter is a tensor of its own per component, so that no operation broadcasts or reduces
over the components: TensorFlow's CPU kernels are several times slower at both.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from training.grid import HIGHEST_DB, LOWEST_DB, N_LEVELS, STEP_DB

MIN_SCALE_DB = 0.1
MAX_SCALE_DB = 50.0

FLOOR = 1e-5
"""The share of the uniform distribution."""

MAX_BITS = math.log2(N_LEVELS / FLOOR)
"""What the least probable level costs: 24.9 bits."""

_MIDDLE = math.log(MIN_SCALE_DB * MAX_SCALE_DB) / 2
_REACH = math.log(MAX_SCALE_DB / MIN_SCALE_DB) / 2
_BEYOND_DB = 1e6


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Distributions of levels: per component, a float32 tensor [..., n_mels] of each parameter.

    `logits` are those of the weights, `means` are in dB, `log_scales` natural logarithms of dB from
    `MIN_SCALE_DB` to `MAX_SCALE_DB`.
    """

    logits: tuple[tf.Tensor, ...]
    means: tuple[tf.Tensor, ...]
    log_scales: tuple[tf.Tensor, ...]

    def pack(self) -> tf.Tensor:
        """All parameters as one tensor, float32 [..., 3 * components, n_mels]."""
        return tf.stack([*self.logits, *self.means, *self.log_scales], axis=-2)

    @staticmethod
    def unpack(packed: tf.Tensor) -> Mixture:
        """The mixture that `pack` made one tensor of."""
        rows = tf.unstack(packed, axis=-2)
        count = len(rows) // 3
        return Mixture(
            tuple(rows[:count]), tuple(rows[count : 2 * count]), tuple(rows[2 * count :])
        )


def bounded_log_scale(raw: tf.Tensor) -> tf.Tensor:
    """The logarithm of a scale in dB from any float32: 0 is the geometric middle of the allowed."""
    return _MIDDLE + _REACH * tf.tanh(raw)


def log_prob(mixture: Mixture, levels: tf.Tensor) -> tf.Tensor:
    """Natural logarithm of the probability of `levels` (int32 grid indices, [..., n_mels]).

    Returns float32 of the same shape, from log(FLOOR / N_LEVELS) to 0.
    """
    centers = LOWEST_DB + STEP_DB * tf.cast(levels, tf.float32)
    lower = tf.where(levels == 0, -_BEYOND_DB, centers - STEP_DB / 2)
    upper = tf.where(levels == N_LEVELS - 1, _BEYOND_DB, centers + STEP_DB / 2)
    return _log_prob(lower, upper, *mixture.logits, *mixture.means, *mixture.log_scales)


def weights_of(
    logits: Sequence[tf.Tensor], temperature: tf.Tensor | float = 1.0
) -> list[tf.Tensor]:
    """The components' weights, which sum to 1: a softmax of tensors, not of an axis."""
    highest = functools.reduce(tf.maximum, logits)
    powers = [tf.exp((each - highest) / temperature) for each in logits]
    total = tf.add_n(powers)
    return [power / total for power in powers]


def mean_db(mixture: Mixture) -> tf.Tensor:
    """The expected level in dB, within the grid: [..., n_mels]."""
    pairs = zip(weights_of(mixture.logits), mixture.means, strict=True)
    return tf.clip_by_value(
        tf.add_n([weight * mean for weight, mean in pairs]), LOWEST_DB, HIGHEST_DB
    )


def draw(
    mixture: Mixture, uniform: tf.Tensor, temperature: tf.Tensor | float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean of a component drawn from the mixture, and what to add to it; in dB, [..., n_mels].

    `uniform` is float32 [2, ..., n_mels] in (0, 1): the first picks the component, the second the
    quantile of it. `temperature` divides the logits of the components and multiplies the squares of
    their scales, as in Ha and Eck (2017), "A Neural Representation of Sketch Drawings": 1 samples
    from the model, less stays nearer to its means. Of the uniform share nothing is drawn.
    """
    below = tf.zeros_like(uniform[0])
    mean, log_scale = mixture.means[0], mixture.log_scales[0]
    shares = weights_of(mixture.logits, temperature)
    for share, *candidates in zip(
        shares[:-1], mixture.means[1:], mixture.log_scales[1:], strict=True
    ):
        below += share
        reached = uniform[0] >= below
        mean = tf.where(reached, candidates[0], mean)
        log_scale = tf.where(reached, candidates[1], log_scale)
    logistic = tf.math.log(uniform[1]) - tf.math.log1p(-uniform[1])
    return mean, tf.sqrt(temperature) * tf.exp(log_scale) * logistic


def nearest_levels(db: tf.Tensor) -> tf.Tensor:
    """The grid indices nearest to `db`: int32 of the same shape, as `grid.quantize`."""
    indices = tf.round((db - LOWEST_DB) / STEP_DB)
    return tf.cast(tf.clip_by_value(indices, 0.0, N_LEVELS - 1.0), tf.int32)


def _with_gradient(
    lower: tf.Tensor, upper: tf.Tensor, *parameters: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor | None]]]:
    """The gradient by hand needs half the operations of the automatic one, and less memory."""
    count = len(parameters) // 3
    logits, means = parameters[:count], parameters[count : 2 * count]
    weights = weights_of(logits)
    inverses = [tf.exp(-each) for each in parameters[2 * count :]]
    ends = [
        _small_side((lower - mean) * inverse, (upper - mean) * inverse)
        for mean, inverse in zip(means, inverses, strict=True)
    ]
    sigmoids = [(tf.sigmoid(low), tf.sigmoid(high)) for low, high, _ in ends]
    masses = [high - low for low, high in sigmoids]
    joint = [weight * mass for weight, mass in zip(weights, masses, strict=True)]
    mixed = tf.add_n(joint)
    probability = (1 - FLOOR) * mixed + FLOOR / N_LEVELS

    def gradient(upstream: tf.Tensor) -> list[tf.Tensor | None]:
        factor = (1 - FLOOR) * upstream / probability
        shared = factor * mixed
        of_logits = [
            factor * each - shared * weight for each, weight in zip(joint, weights, strict=True)
        ]
        of_means, of_log_scales = [], []
        for weight, inverse, (low, high, sign), (below, above) in zip(
            weights, inverses, ends, sigmoids, strict=True
        ):
            slope_low, slope_high = below * (1 - below), above * (1 - above)
            pull = factor * weight
            of_means.append(pull * (slope_low - slope_high) * inverse * sign)
            of_log_scales.append(pull * (low * slope_low - high * slope_high))
        return [None, None, *of_logits, *of_means, *of_log_scales]

    return tf.math.log(probability), gradient


_log_prob = tf.custom_gradient(_with_gradient)


def _small_side(lower: tf.Tensor, upper: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Both ends, mirrored to where their sigmoids are small and keep their digits; and the sign.

    sigma(b) - sigma(a) = sigma(-a) - sigma(-b).
    """
    sign = tf.where(lower + upper > 0, -1.0, 1.0)
    one, other = lower * sign, upper * sign
    return tf.minimum(one, other), tf.maximum(one, other), sign
