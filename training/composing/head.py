"""From the past to a distribution of a frame's states, pitch by pitch from below."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training.composing.memory import SEEN_BY_OTHERS
from training.composing.states import HELD, N_STATES, SILENT, STRUCK

REACH = 24
"""How many semitones above and below a pitch it hears others apart, by their distance."""

_OWN = 4
"""Numbers that the trunk gives each pitch for itself."""

_IMPOSSIBLE = -1e9
"""Its exponential is 0 in float32, and 0 times it is 0."""

_FIRST_LOGITS = np.array([[5.0, 0.0, 0.0], [0.0, 3.0, -2.0]], np.float32)
"""Of silent, held and struck, for a pitch that was silent, and for one that sounded: most frames
repeat the one before."""


@keras.saving.register_keras_serializable(package="musicnet_duet")
class StatesHead(keras.layers.Layer):
    """p(states of a frame | past) as a product over pitches, each given the ones below it.

    All pitches share the weights, but for a few numbers that the trunk gives each one. A pitch
    hears its own past, that of its neighbors by their distance, and the trunk; if `chained`, also
    which of the pitches below it are struck or fall silent in this very frame, by their distance,
    and how many. Each pitch's distribution is normalized over the states that can follow: a silent
    pitch is struck or stays silent, one that sounds may also be held. So the sum over all rolls is
    one.
    """

    def __init__(
        self, n_pitches: int, channels: int, chained: bool, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.n_pitches, self.channels, self.chained, self.seed = n_pitches, channels, chained, seed
        seeds = (np.random.SeedSequence(seed).generate_state(8) >> 1).tolist()

        def dense(width: int, name: str, number: int, **more: Any) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(seed=seeds[number])
            return keras.layers.Dense(
                width, kernel_initializer=initializer, dtype=self.dtype_policy, name=name, **more
            )

        self._pitch = dense(channels, "pitch", 0)
        self._trunk = dense(channels, "trunk", 1, use_bias=False)
        self._own = dense(_OWN * n_pitches, "own", 2, use_bias=False)
        self._of_own = dense(channels, "of_own", 3, use_bias=False)
        self._counts = dense(channels, "counts", 4, use_bias=False)
        self._hidden = dense(channels, "hidden", 5)
        self._logits = dense(N_STATES, "logits", 6)

    def build(self, pitch_shape: Any, trunk_shape: Any) -> None:
        """The shapes are those of the first two arguments of `context`."""
        channels = (None, self.channels)
        self._pitch.build(pitch_shape)
        self._trunk.build(trunk_shape)
        self._own.build(trunk_shape)
        self._of_own.build((None, _OWN))
        self._hidden.build(channels)
        self._logits.build(channels)
        near = keras.initializers.RandomNormal(stddev=0.05, seed=self.seed ^ 1)
        self.neighbors = self.add_weight(
            name="neighbors",
            shape=(2 * REACH + 1, SEEN_BY_OTHERS, self.channels),
            initializer=near,
        )
        self.base = self.add_weight(name="base", shape=_FIRST_LOGITS.shape, initializer="zeros")
        self.base.assign(_FIRST_LOGITS)
        if self.chained:
            self._counts.build((None, 4))
            self.below = self.add_weight(
                name="below", shape=(REACH, 2, self.channels), initializer="zeros"
            )

    def context(self, pitch: tf.Tensor, trunk: tf.Tensor) -> tf.Tensor:
        """What the past says of each pitch: float32 [..., n_pitches, channels].

        `pitch` [..., n_pitches, any] are the features of each pitch, and `trunk` [..., any] is what
        the trunk made of the past.
        """
        lead = tf.shape(trunk)[:-1]
        own = tf.reshape(self._own(trunk), tf.concat([lead, [self.n_pitches, _OWN]], 0))
        near = tf.nn.convolution(_rows(pitch[..., :SEEN_BY_OTHERS]), self.neighbors, padding="SAME")
        near = tf.reshape(near, tf.concat([lead, [self.n_pitches, self.channels]], 0))
        return (
            self._pitch(pitch) + self._trunk(trunk)[..., tf.newaxis, :] + self._of_own(own) + near
        )

    def call(self, context: tf.Tensor, before: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        """The log of each state's probability, float32 [..., n_pitches, 3].

        `context` is that of `context`; `before` and `states`, int32 [..., n_pitches], are the
        states of the frame before and those of this one: a pitch depends on the latter of the
        pitches below it alone.
        """
        was_silent = before == SILENT
        total = context
        if self.chained:
            total += self._from_below(was_silent, states)
        hidden = tf.nn.relu(self._hidden(tf.nn.relu(total)))
        sounded = tf.cast(~was_silent, tf.float32)[..., tf.newaxis]
        base = self.base[0] * (1 - sounded) + self.base[1] * sounded
        logits = self._logits(hidden) + base
        impossible = was_silent[..., tf.newaxis] & (tf.range(N_STATES) == HELD)
        return tf.nn.log_softmax(tf.where(impossible, _IMPOSSIBLE, logits))

    def get_config(self) -> dict[str, Any]:
        names = ("n_pitches", "channels", "chained", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _from_below(self, was_silent: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        """What the pitches below say of each pitch: [..., n_pitches, channels]."""
        struck = states == STRUCK
        ended = (states == SILENT) & ~was_silent
        events = tf.cast(tf.stack([struck, ended], axis=-1), tf.float32)
        counts = tf.cumsum(events, axis=-2, exclusive=True)
        numbers = tf.concat([tf.minimum(counts, 1), tf.math.log1p(counts)], axis=-1)
        # Row p of the padded events is pitch p - REACH: the kernel ends at the pitch just below.
        padded = tf.pad(_rows(events)[:, :-1], [(0, 0), (REACH, 0), (0, 0)])
        near = tf.nn.convolution(padded, self.below, padding="VALID")
        return self._counts(numbers) + tf.reshape(
            near, tf.concat([tf.shape(states), [self.channels]], 0)
        )


def _rows(values: tf.Tensor) -> tf.Tensor:
    """[..., n_pitches, width] as [rows, n_pitches, width]."""
    return tf.reshape(values, [-1, *values.shape[-2:]])
