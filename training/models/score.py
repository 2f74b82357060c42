"""What a model hears of a score: the notes around a frame, which are known before it sounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas.features import N_PITCHES
from training.errors import TrainingError
from training.horizon import NOTES_AHEAD
from training.validation import shown


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """Piano rolls, uint8 [pieces, frames, 128]: 1 where a note sounds, and where one begins.

    Raises `TrainingError` where they are something else.
    """

    notes: NDArray[np.uint8]
    onsets: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name in ("notes", "onsets"):
            roll = getattr(self, name)
            if roll.ndim != 3 or roll.shape[2] != N_PITCHES or roll.shape != self.notes.shape:
                raise TrainingError(
                    f"{name}={shown(roll.shape)} must be an array [pieces, frames, {N_PITCHES}], "
                    "notes and onsets of the same shape"
                )

    def frames(self, first: int, count: int) -> Score:
        """`count` frames from `first` on; it is silent before its beginning and after its end."""
        return Score(*(self._part(roll, first, count) for roll in (self.notes, self.onsets)))

    @staticmethod
    def _part(roll: NDArray[np.uint8], first: int, count: int) -> NDArray[np.uint8]:
        before = min(count, max(0, -first))
        found = roll[:, max(0, first) : max(0, first + count)]
        return np.pad(found, [(0, 0), (before, count - before - found.shape[1]), (0, 0)])


@keras.saving.register_keras_serializable(package="musicnet_duet")
class ScoreHearing(keras.layers.Layer):
    """An embedding of the notes and onsets of a frame and of the `NOTES_AHEAD` frames after it."""

    def __init__(self, units: int, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.seed = units, seed
        self._projection = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            name="projection",
        )

    def build(self, input_shape: Any) -> None:
        self._projection.build((None, None, 2 * (1 + NOTES_AHEAD) * N_PITCHES))

    def call(self, notes: tf.Tensor, onsets: tf.Tensor) -> tf.Tensor:
        """`notes` and `onsets` [batch, frames, 128], 0 or 1; float32 [batch, frames, units].

        After the last frame, nothing sounds.
        """
        both = tf.cast(tf.concat([notes, onsets], axis=-1), tf.float32)
        padded = tf.pad(both, [[0, 0], [0, NOTES_AHEAD], [0, 0]])
        frames = tf.shape(both)[1]
        around = [padded[:, ahead : ahead + frames] for ahead in range(1 + NOTES_AHEAD)]
        return self._projection(tf.concat(around, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "seed": self.seed}
