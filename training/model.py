"""Next-frame prediction p(frame t | frames before t), with simple, GRU or LSTM layers.

At each frame the network sees the frame before it and how that one differed from its own
predecessor, both normalized by the training split's statistics; what lies before a window is taken
to be the mean frame. The bins of a frame are independent given the past, each a mixture of
discretized logistics whose means are relative to the bin's last level.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from training.config import ModelConfig
from training.grid import LOWEST_DB, N_LEVELS, STEP_DB
from training.input_noise import remaining_noise
from training.likelihood import Mixture, log_prob, mixture_from
from training.models.layers import GRU, LSTM, SimpleRNN
from training.process import require_tensorflow_backend

MIN_STD_DB = 1.0
"""A bin that hardly moves in the training split is normalized as if it moved by this much."""

_LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


class State(NamedTuple):
    """All that generation carries from a frame to the next one: float32 tensors [batch, ...].

    `previous` is the normalized frame before the last, `layers` the states of each layer's cell.
    """

    previous: tf.Tensor
    layers: tuple[tuple[tf.Tensor, ...], ...]


class SpectrogramModel(keras.Model):
    """`model(levels)` is the mixture for every frame of `levels`, given the frames before it.

    `mean_db` and `std_db` [n_mels] are those of the training split, in dB. The initial weights are
    a function of `seed`. All arithmetic is in float32, whatever Keras's own settings are. Raises
    `TrainingError` where Keras has another backend than TensorFlow.
    """

    def __init__(
        self, config: ModelConfig, mean_db: ArrayLike, std_db: ArrayLike, *, seed: int = 0
    ) -> None:
        require_tensorflow_backend()
        super().__init__(name="spectrogram_model", dtype="float32")
        self.config = config
        seeds = _seeds(seed)
        self._mean_db = np.asarray(mean_db, np.float32)
        self._std_db = np.maximum(np.asarray(std_db, np.float32), MIN_STD_DB)
        self._recurrent = [
            _LAYERS[config.kind](
                units,
                return_sequences=True,
                kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
                dtype="float32",
                name=f"recurrent_{number}",
            )
            for number, units in enumerate(config.units)
        ]
        self._head = keras.layers.Dense(
            3 * config.mixtures * config.n_mels,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=next(seeds)),
            dtype="float32",
            name="head",
        )
        self(tf.zeros([1, 2, config.n_mels], tf.int32))
        # Components that begin with different scales learn different things.
        scales = np.zeros((3, config.mixtures, config.n_mels), np.float32)
        scales[2] += np.linspace(-1, 1, config.mixtures)[:, np.newaxis]
        self._head.bias.assign(scales.ravel())

    def call(self, levels: tf.Tensor, noise_db: tf.Tensor | None = None) -> Mixture:
        """`levels`: int32 grid indices [batch, frames, n_mels]. The mixtures are for these frames.

        `noise_db` float32 of the same shape, in dB, is added to the network's inputs.
        """
        inputs = self.normalize(levels)
        if noise_db is not None:
            inputs += noise_db / self._std_db
        frames = tf.pad(inputs[:, :-1], [[0, 0], [1, 0], [0, 0]])
        changes = frames - tf.pad(frames[:, :-1], [[0, 0], [1, 0], [0, 0]])
        hidden = tf.concat([frames, changes], axis=-1)
        for layer in self._recurrent:
            hidden = layer(hidden)
        return self._mixture(hidden, frames)

    def start(self, batch_size: int) -> tuple[tf.Tensor, State]:
        """The arguments of the first `step`: the mean frame, and the state before any frame."""
        frame = tf.zeros([batch_size, self.config.n_mels])
        layers = tuple(tuple(layer.cell.get_initial_state(batch_size)) for layer in self._recurrent)
        return frame, State(frame, layers)

    def step(self, frame: tf.Tensor, state: State) -> tuple[Mixture, State]:
        """The mixture for the frame after `frame` (normalized, float32 [batch, n_mels]).

        Steps give what `call` gives for the whole sequence.
        """
        hidden = tf.concat([frame, frame - state.previous], axis=-1)
        layers = []
        for layer, cell_state in zip(self._recurrent, state.layers, strict=True):
            hidden, after = layer.cell(hidden, list(cell_state))
            layers.append(tuple(after))
        return self._mixture(hidden, frame), State(frame, tuple(layers))

    def normalize(self, levels: tf.Tensor) -> tf.Tensor:
        """Grid indices [..., n_mels] as float32: mean 0 and deviation 1 in the training split."""
        db = LOWEST_DB + STEP_DB * tf.cast(levels, tf.float32)
        return (db - self._mean_db) / self._std_db

    def _mixture(self, hidden: tf.Tensor, frames: tf.Tensor) -> Mixture:
        raw = self._head(hidden)
        shape = [*tf.unstack(tf.shape(raw))[:-1], 3, self.config.mixtures, self.config.n_mels]
        reference_db = frames * self._std_db + self._mean_db
        return mixture_from(tf.reshape(raw, shape), reference_db, self._std_db)


def negative_log_likelihood(
    model: SpectrogramModel, levels: tf.Tensor, valid_frames: tf.Tensor, first_frame: int = 0
) -> tf.Tensor:
    """-log p of each window per bin, summed over its frames from `first_frame` to the last valid.

    `levels` are grid indices, int32 [batch, frames, n_mels], `valid_frames` int32 [batch]; returns
    float32 [batch], natural logarithms.
    """
    return _summed(log_prob(model(levels), levels), valid_frames, first_frame)


def denoising_negative_log_likelihood(
    model: SpectrogramModel, levels: tf.Tensor, valid_frames: tf.Tensor, noise_db: tf.Tensor
) -> tf.Tensor:
    """The same with `noise_db`, float32 of the shape of `levels`, in the inputs.

    The targets are the levels plus what `remaining_noise` leaves of it.
    """
    steps = tf.cast(tf.round(remaining_noise(noise_db) / STEP_DB), tf.int32)
    target = tf.clip_by_value(levels + steps, 0, N_LEVELS - 1)
    return _summed(log_prob(model(levels, noise_db), target), valid_frames, 0)


def _summed(log_probs: tf.Tensor, valid_frames: tf.Tensor, first_frame: int) -> tf.Tensor:
    frame_nats = -tf.reduce_mean(log_probs, axis=-1)
    frames = tf.range(tf.shape(log_probs)[1])
    scored = (frames >= first_frame) & (frames < valid_frames[:, tf.newaxis])
    return tf.reduce_sum(tf.where(scored, frame_nats, 0.0), axis=-1)


def _seeds(seed: int) -> Iterator[int]:
    """Different seeds without end, a function of `seed`."""
    for number in itertools.count():
        yield int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) >> 1
