"""p(frame t of a piano roll | frames before t): a memory, a recurrent trunk, and a chained head."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf

from training.composing.config import ComposerConfig
from training.composing.head import StatesHead
from training.composing.memory import (
    SEEN_BY_OTHERS,
    Memory,
    after,
    common_width,
    features,
    memories,
    pitch_width,
    silence,
)
from training.composing.states import states_of
from training.models.dropout import Dropout
from training.models.layers import GRU
from training.process import require_tensorflow_backend


class ComposerState(NamedTuple):
    """All that composing carries from a frame to the next one.

    `memory` is that after the last frame; `cell`, float32 [batch, units], is the state of the GRU
    before it is given that frame.
    """

    memory: Memory
    cell: tf.Tensor


@keras.saving.register_keras_serializable(package="musicnet_duet")
class Composer(keras.Model):
    """Predicts each frame of a piano roll from the frames before it.

    `model(states)` takes the states of pitches (`states.states_of`), int32
    [batch, frames, n_pitches], and gives the logarithms of the states' probabilities in all frames
    but the first, float32 [batch, frames - 1, n_pitches, 3]: the `y_pred` of `RollLikelihood`,
    whose `y_true` are the states of these frames. A frame is 1/43 s, and most frames repeat the one
    before, so the model is given what is hard to learn over hundreds of them: how long each note
    has been sounding or each pitch silent, how much it was played lately, and how long the last
    onsets were apart. Raises `TrainingError` where Keras has another backend than TensorFlow.

    Examples:
        >>> from training.composing import BitsPerFrame, Composer, ComposerConfig, RollLikelihood
        >>> from training.composing import composing_example
        >>> from training import open_dataset
        >>> reader = open_dataset("dataset", features=("notes", "onsets"), batch_size=4)
        >>> model = Composer(ComposerConfig(units=8, channels=8))
        >>> model.compile("adam", RollLikelihood(), weighted_metrics=[BitsPerFrame()])
        >>> examples = reader.as_tf_dataset(composing_example(model.config))
        >>> history = model.fit(examples, epochs=2, shuffle=False, verbose=0)
        >>> history.history["bits"][1] < history.history["bits"][0]
        True
    """

    def __init__(
        self,
        config: ComposerConfig = ComposerConfig(),  # noqa: B008 - it is frozen
        name: str = "composer",
        **kwargs: Any,
    ) -> None:
        require_tensorflow_backend()
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.config = config
        seeds = (np.random.SeedSequence(config.seed).generate_state(4) >> 1).tolist()
        self.trunk = GRU(
            config.units,
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[0]),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds[1]),
            dtype="float32",
            name="trunk",
        )
        self.dropout = Dropout(config.dropout, seeds[2], dtype="float32", name="dropout")
        self.head = StatesHead(
            config.n_pitches,
            config.channels,
            config.chained,
            seeds[3],
            dtype="float32",
            name="head",
        )

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights."""
        n_pitches, common = self.config.n_pitches, common_width()
        self.trunk.build((None, None, SEEN_BY_OTHERS * n_pitches + common))
        self.dropout.build((None, None, self.config.units))
        self.head.build(
            (None, None, n_pitches, pitch_width()), (None, None, self.config.units + common)
        )

    def call(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        states = tf.cast(states, tf.int32)
        past = memories(states[:, :-1])
        pitch, common = features(past)
        hidden = self.dropout(self.trunk(_heard(pitch, common)), training=training)
        context = self.head.context(pitch, tf.concat([hidden, common], axis=-1))
        return self.head(context, past.states, states[:, 1:])

    def start(self, batch_size: int) -> ComposerState:
        """The state after a silence."""
        cell = tf.zeros([batch_size, self.config.units])
        return ComposerState(silence(batch_size, self.config.n_pitches), cell)

    def hear(self, state: ComposerState, states: tf.Tensor) -> tuple[tf.Tensor, ComposerState]:
        """The log probabilities [batch, n_pitches, 3] in the frame `states`; the state after it.

        `states` are int32 [batch, n_pitches]. Steps from `start` on give what `call` gives for a
        silent frame and these.
        """
        context, cell = self._advance(state)
        log_probs = self.head(context, state.memory.states, states)
        return log_probs, ComposerState(after(state.memory, states), cell)

    def draw(
        self, state: ComposerState, uniform: tf.Tensor, temperature: tf.Tensor | float
    ) -> tuple[tf.Tensor, ComposerState]:
        """The states of the next frame, int32 [batch, n_pitches], drawn; the state after it.

        `uniform` float32 [batch, n_pitches] are numbers from 0 to 1: a pitch takes the first state
        at which the sum of probabilities exceeds its number. `temperature` divides the logarithms.
        A pitch depends on the ones below it, so that each pass over all pitches settles at least
        one more of them from below, and at most `n_pitches` passes find the frame (Song, Meng,
        Liao and Ermon, 2021, "Accelerating Feedforward Computation via Parallel Nonlinear Equation
        Solving"). Most frames take two.
        """
        context, cell = self._advance(state)
        before = state.memory.states

        def passed(states: tf.Tensor) -> tf.Tensor:
            probabilities = tf.nn.softmax(self.head(context, before, states) / temperature)
            sums = tf.cumsum(probabilities, axis=-1)[..., :-1]
            return tf.reduce_sum(tf.cast(uniform[..., tf.newaxis] >= sums, tf.int32), axis=-1)

        unchanged = tf.minimum(before, 1)
        states, _ = tf.while_loop(
            lambda states, previous: tf.reduce_any(states != previous),
            lambda states, _: (passed(states), states),
            (passed(unchanged), unchanged),
            maximum_iterations=self.config.n_pitches,
        )
        return states, ComposerState(after(state.memory, states), cell)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        return cls(**{**config, "config": ComposerConfig(**config["config"])})

    def _advance(self, state: ComposerState) -> tuple[tf.Tensor, tf.Tensor]:
        pitch, common = features(state.memory)
        hidden, cell = self.trunk.cell(_heard(pitch, common), [state.cell])
        context = self.head.context(pitch, tf.concat([hidden, common], axis=-1))
        return context, cell[0]


def composing_example(config: ComposerConfig) -> Any:
    """A function for `as_tf_dataset`: inputs, targets and weights for `fit`, from a batch."""

    def example(batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        states = states_of(batch["notes"], batch["onsets"], config.pitches)
        return states, states[:, 1:], batch["weights"][:, 1:]

    return example


def frame_nats(states: tf.Tensor, log_probs: tf.Tensor) -> tf.Tensor:
    """-log p of each frame, natural logarithm: float32 [...] of `states` [..., n_pitches].

    `log_probs` float32 [..., n_pitches, 3] are those that `Composer` gives.
    """
    chosen = tf.gather(log_probs, tf.cast(states, tf.int32), batch_dims=len(states.shape))
    return -tf.reduce_sum(chosen, axis=-1)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class RollLikelihood(keras.losses.Loss):
    """`frame_nats`, averaged over the frames by their weights: padding counts nothing."""

    def __init__(
        self,
        reduction: str = "mean_with_sample_weight",
        name: str = "roll_likelihood",
        dtype: Any = "float32",
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return frame_nats(y_true, y_pred)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class BitsPerFrame(keras.metrics.Mean):
    """The mean of `frame_nats` over all frames by their weights, in bits."""

    def __init__(self, name: str = "bits", dtype: Any = "float32") -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        super().update_state(frame_nats(y_true, y_pred) / math.log(2), sample_weight)


def _heard(pitch: tf.Tensor, common: tf.Tensor) -> tf.Tensor:
    """The input of the trunk: [..., SEEN_BY_OTHERS * n_pitches + common]."""
    seen = pitch[..., :SEEN_BY_OTHERS]
    *_, n_pitches, width = seen.shape
    flat = tf.reshape(seen, tf.concat([tf.shape(seen)[:-2], [n_pitches * width]], 0))
    return tf.concat([flat, common], axis=-1)
