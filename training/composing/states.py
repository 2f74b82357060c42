"""What a pitch does in a frame: it is silent, held, or struck."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas.features import N_PITCHES

SILENT, HELD, STRUCK = 0, 1, 2
N_STATES = 3


def states_of(notes: Any, onsets: Any, pitches: tuple[int, int]) -> tf.Tensor:
    """The states of a piano roll, int32 [..., frames, n_pitches].

    `notes` and `onsets` [..., frames, 128] are 0 or 1; `pitches` are the lowest and the highest
    that count. A pitch is struck where it has an onset, and held where it sounds without one. One
    that begins to sound without an onset counts as struck, except in the first frame, which may go
    on with a note from before: so a silent pitch is never held in the next frame.

    Examples:
        >>> notes, onsets = np.zeros((2, 4, 128), int)
        >>> notes[1:, 60], onsets[[1, 3], 60] = 1, 1
        >>> states_of(notes, onsets, (60, 61)).numpy().tolist()
        [[0, 0], [2, 0], [1, 0], [2, 0]]
    """
    low, high = pitches
    notes, onsets = (
        tf.cast(tf.convert_to_tensor(each)[..., low : high + 1], tf.bool)
        for each in (notes, onsets)
    )
    sounding = notes | onsets
    begins = sounding[..., 1:, :] & ~sounding[..., :-1, :]
    struck = onsets | tf.concat([tf.zeros_like(sounding[..., :1, :]), begins], axis=-2)
    return tf.cast(sounding, tf.int32) + tf.cast(struck, tf.int32)


def rolls_of(
    states: NDArray[Any], pitches: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """`notes` and `onsets`, uint8 [..., frames, 128], of states [..., frames, n_pitches]."""
    low, high = pitches
    outside = [(0, 0)] * (states.ndim - 1) + [(low, N_PITCHES - 1 - high)]
    return (
        np.pad((states != SILENT).astype(np.uint8), outside),
        np.pad((states == STRUCK).astype(np.uint8), outside),
    )


def transposed(roll: tf.Tensor, semitones: tf.Tensor) -> tf.Tensor:
    """`roll` [batch, frames, 128] with each row shifted up by its number of `semitones`, [batch].

    What would leave the range of MIDI is left out.
    """
    source = tf.range(N_PITCHES) - semitones[:, tf.newaxis]
    inside = tf.cast((source >= 0) & (source < N_PITCHES), roll.dtype)
    found = tf.gather(roll, tf.clip_by_value(source, 0, N_PITCHES - 1), axis=2, batch_dims=1)
    return found * inside[:, tf.newaxis]
