"""Heads: from the trunk's view of a frame to a distribution of the frame's levels.

Means are normalized, as frames are, and relative to a base of their component, such as the frame
before; scales are in dB.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training.models.hearing import Hearing
from training.models.likelihood import (
    Mixture,
    bounded_log_scale,
    draw,
    nearest_levels,
    weights_of,
)

GATED_CHAINS = 4
"""They are worth 0.03 bits per dimension on the demo's data; twice as many, 0.004 more."""


@keras.saving.register_keras_serializable(package="musicnet_duet")
class IndependentHead(keras.layers.Layer):
    """The bins of a frame are independent given the past, each a mixture of `components`.

    `precision` is Keras's dtype policy for the product with the trunk's output; all else is in the
    layer's own dtype.
    """

    def __init__(
        self,
        n_mels: int,
        components: int,
        seed: int = 0,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.n_mels, self.components, self.seed = n_mels, components, seed
        self.precision = precision
        self._parameters = keras.layers.Dense(
            3 * components * n_mels,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
            dtype=precision,
            name="parameters",
        )

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of the trunk's output."""
        self._parameters.build(input_shape)
        # Components that begin with different scales learn different things.
        bias = np.zeros((3, self.components, self.n_mels), np.float32)
        bias[2] += np.linspace(-0.5, 0.5, self.components)[:, np.newaxis]
        self._parameters.bias.assign(bias.ravel())

    def call(self, hidden: tf.Tensor, bases: Sequence[tf.Tensor], targets: tf.Tensor) -> Mixture:
        """The mixture for `targets`, whose means are relative to the `bases` of the components.

        `hidden` is [..., units]; `bases` and `targets` are normalized levels [..., n_mels].
        """
        return self._given_below(self._given_past(hidden, bases), hidden, targets)

    def sample(
        self,
        hidden: tf.Tensor,
        bases: Sequence[tf.Tensor],
        uniform: tf.Tensor,
        temperature: tf.Tensor | float,
        hearing: Hearing,
    ) -> tf.Tensor:
        """Levels (int32 grid indices, [..., n_mels]) drawn from the mixture.

        `uniform` and `temperature` are those of `likelihood.draw`; `hearing` knows the units.
        """
        mean, noise_db = draw(self._given_past(hidden, bases), uniform, temperature)
        return nearest_levels(hearing.to_db(mean) + noise_db)

    def get_config(self) -> dict[str, Any]:
        names = ("n_mels", "components", "seed", "precision")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _given_past(self, hidden: tf.Tensor, bases: Sequence[tf.Tensor]) -> Mixture:
        """The mixture before any bin of the frame is known."""
        raw = tf.cast(self._parameters(hidden), tf.float32)
        shape = [*tf.unstack(tf.shape(raw))[:-1], 3 * self.components, self.n_mels]
        outputs = Mixture.unpack(tf.reshape(raw, shape))
        return Mixture(
            outputs.logits,
            tuple(base + shift for base, shift in zip(bases, outputs.means, strict=True)),
            tuple(bounded_log_scale(scale) for scale in outputs.log_scales),
        )

    def _given_below(self, mixture: Mixture, hidden: tf.Tensor, targets: tf.Tensor) -> Mixture:
        """The mixture of each bin once the bins of `targets` below it are known."""
        return mixture


@keras.saving.register_keras_serializable(package="musicnet_duet")
class ChainedHead(IndependentHead):
    """Each bin's means are shifted by the innovations of the bins below it in the same frame.

    A bin's innovation is its level less its predicted mean given the past. The shifts are these
    times a strictly lower-triangular matrix, [n_mels, n_mels]: one that is always there, and
    `GATED_CHAINS` more that gates between -1 and 1 add to it, functions of the trunk's output. Bins
    move together in one way where a note begins, and in another where it fades. A whole sequence
    costs one matrix product.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = (1 + GATED_CHAINS, self.n_mels, self.n_mels)
        self.chains = self.add_weight(name="chains", shape=shape, initializer="zeros")
        self._gates = keras.layers.Dense(
            GATED_CHAINS,
            activation="tanh",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.1, seed=self.seed ^ 1),
            dtype=self.precision,
            name="gates",
        )
        self._gates.build(input_shape)

    def sample(
        self,
        hidden: tf.Tensor,
        bases: Sequence[tf.Tensor],
        uniform: tf.Tensor,
        temperature: tf.Tensor | float,
        hearing: Hearing,
    ) -> tf.Tensor:
        """As `IndependentHead.sample`; the innovations are relative to the mean at `temperature`.

        At a low temperature a bin's level is near the mean of its likeliest component. Relative to
        the mean of the whole mixture, that would be an innovation that the bins above amplify.

        Components and noise are drawn for all bins at once, so a frame's levels are the solution of
        levels = nearest(means + shifts(levels) + noise). Each pass over all bins settles at least
        one more of them from below, so at most `n_mels` passes find it (Song, Meng, Liao and Ermon,
        2021, "Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving").
        """
        past = self._given_past(hidden, bases)
        mean, noise_db = draw(past, uniform, temperature)
        predicted = _mean(past, temperature)
        gates = self._gates_of(hidden)
        weights = tf.concat([tf.ones_like(gates[..., :1]), gates], axis=-1)
        chain = tf.tensordot(weights, self._lower(), 1)  # One for all passes.

        def passed(levels: tf.Tensor) -> tf.Tensor:
            shift = tf.linalg.matvec(chain, hearing.normalize(levels) - predicted)
            return nearest_levels(hearing.to_db(mean + shift) + noise_db)

        first = nearest_levels(hearing.to_db(mean) + noise_db)
        levels, _ = tf.while_loop(
            lambda levels, before: tf.reduce_any(levels != before),
            lambda levels, _: (passed(levels), levels),
            (passed(first), first),
            maximum_iterations=self.n_mels,
        )
        return levels

    def _given_below(self, mixture: Mixture, hidden: tf.Tensor, targets: tf.Tensor) -> Mixture:
        innovations = targets - _mean(mixture)
        gates = tf.split(self._gates_of(hidden), GATED_CHAINS, axis=-1)
        weighted = [innovations, *(gate * innovations for gate in gates)]
        # Their sum over chains is part of the product: [..., chains * n_mels] times all matrices.
        stacked = tf.reshape(tf.linalg.matrix_transpose(self._lower()), [-1, self.n_mels])
        shift = tf.linalg.matmul(tf.concat(weighted, -1), stacked)
        return dataclasses.replace(mixture, means=tuple(mean + shift for mean in mixture.means))

    def _gates_of(self, hidden: tf.Tensor) -> tf.Tensor:
        """How much there is of each gated chain: float32 [..., GATED_CHAINS]."""
        return tf.cast(self._gates(hidden), tf.float32)

    def _lower(self) -> tf.Tensor:
        """The chains without all that is not strictly below a diagonal."""
        lower = tf.linalg.band_part(self.chains, -1, 0)
        return tf.linalg.set_diag(lower, tf.zeros([1 + GATED_CHAINS, self.n_mels]))


def _mean(mixture: Mixture, temperature: tf.Tensor | float = 1.0) -> tf.Tensor:
    pairs = zip(weights_of(mixture.logits, temperature), mixture.means, strict=True)
    return tf.add_n([weight * mean for weight, mean in pairs])
