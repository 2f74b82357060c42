"""The spectrogram that a score suggests by itself: the sum of what its notes sound like.

The powers of notes that sound together add up. So the power of a frame is a product of two matrices
without negative values: how much each note sounds in it, and the spectrum of each note, as in
score-informed factorizations of spectrograms (Ewert and Mueller 2012, "Using score-informed
constraints for NMF-based source separation").
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas.features import N_PITCHES
from training.horizon import NOTES_AHEAD

NOTES_BEHIND = 24
"""The frames over which a note fades from its beginning on: half a second by default."""

RELEASE_FRAMES = 4
"""The frames for which a note is heard after its end."""

_QUIET = -1.0
"""All spectra begin at this level, in deviations of a bin: a note that training never heard hardly
sounds."""

_DECAY_DB, _BEFORE_DB, _RELEASE_DB = 1.0, 30.0, 8.0
"""Before training, a note fades by `_DECAY_DB` a frame, is heard `_BEFORE_DB` below its level
before it begins, and fades by `_RELEASE_DB` a frame after its end."""

_SPEED = 5.0
"""Weights are small so that they learn fast beside those of other layers: units a weight of 1."""

_DB_PER_NEPER = 10 / np.log(10)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class NoteTemplates(keras.layers.Layer):
    """Levels of a score, in which each note has a spectrum for its beginning and one for the rest.

    How notes fade after they begin, and after they end, is the same for all.
    """

    def __init__(self, n_mels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_mels = n_mels

    def build(self, input_shape: Any) -> None:
        def weight(name: str, values: NDArray[Any]) -> Any:
            initial = keras.initializers.Constant(values / _SPEED)
            return self.add_weight(name=name, shape=values.shape, initializer=initial)

        ages = np.arange(-NOTES_AHEAD, NOTES_BEHIND + 1)
        fading_db = np.where(ages < 0, -_BEFORE_DB, -_DECAY_DB * ages)
        released_db = -_RELEASE_DB * np.arange(1 + RELEASE_FRAMES)
        self.spectra = weight("spectra", np.full((2, N_PITCHES, self.n_mels), _QUIET))
        self.background = weight("background", np.full(self.n_mels, _QUIET))
        self.fading = weight("fading", fading_db / 10)
        self.released = weight("released", released_db / 10)

    def call(
        self, notes: tf.Tensor, onsets: tf.Tensor, mean_db: tf.Tensor, std_db: tf.Tensor
    ) -> tf.Tensor:
        """Levels [batch, frames, n_mels], normalized by `mean_db` and `std_db` [n_mels]; float32.

        `notes` and `onsets` are [batch, frames, 128], 0 or 1. Before the first frame and after the
        last one, nothing sounds.
        """
        struck = _spread(onsets, self._power(10 * self.fading), ahead=NOTES_AHEAD)
        held = _spread(notes, self._power(10 * self.released), ahead=0)
        spectra = self._power(self.spectra, mean_db, std_db)
        background = self._power(self.background, mean_db, std_db)
        sounding = tf.concat([struck, held], axis=-1)
        power = tf.linalg.matmul(sounding, tf.reshape(spectra, [2 * N_PITCHES, self.n_mels]))
        return (_DB_PER_NEPER * tf.math.log(power + background) - mean_db) / std_db

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_mels": self.n_mels}

    @staticmethod
    def _power(
        weight: tf.Tensor, mean_db: tf.Tensor | float = 0.0, std_db: tf.Tensor | float = 1.0
    ) -> tf.Tensor:
        return tf.exp((_SPEED * weight * std_db + mean_db) / _DB_PER_NEPER)


def _spread(roll: tf.Tensor, weights: tf.Tensor, *, ahead: int) -> tf.Tensor:
    """How much each note sounds: its cells of the roll, with `weights` from `ahead` frames before.

    float32 of the shape of `roll`, [batch, frames, 128].
    """
    each = tf.unstack(weights)
    behind = len(each) - 1 - ahead
    padded = tf.pad(tf.cast(roll, tf.float32), [[0, 0], [behind, ahead], [0, 0]])
    frames = tf.shape(roll)[1]
    shifted = [padded[:, first : first + frames] for first in range(len(each))]
    return tf.add_n([weight * part for weight, part in zip(each, shifted[::-1], strict=True)])
