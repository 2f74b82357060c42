"""What a composer remembers of the past without having to learn it: ages, intervals, traces."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from training.composing.states import SILENT, STRUCK

LONGEST = 1_023.0
"""Frames beyond which all times are alike: 24 s."""

CHORD_FRAMES = 2
"""Onsets this near to each other are of one chord, and make no interval."""

_TRACE_FRAMES = (43.0, 430.0)
_DECAYS = np.exp(-1 / np.array(_TRACE_FRAMES, np.float32))
_KNOTS = int(math.log2(LONGEST + 1)) + 1
_OFFSETS = (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0)
_MULTIPLES = (0.5, 1.0, 2.0)
_INTERVALS = 2


class Memory(NamedTuple):
    """What the past left behind, after some frame: tensors [batch, ...].

    Attributes:
        states: The pitches' states in that frame, int32 [batch, n_pitches].
        ages: Frames since each pitch was struck or fell silent, float32 [batch, n_pitches].
        traces: Sums of each pitch's onsets that fade within about a second, and within ten:
            float32 [batch, 2, n_pitches].
        since: Frames since any pitch was struck, float32 [batch].
        intervals: Frames between the latest onsets of any pitches, the last interval first; onsets
            of one chord make none: float32 [batch, 2].
    """

    states: tf.Tensor
    ages: tf.Tensor
    traces: tf.Tensor
    since: tf.Tensor
    intervals: tf.Tensor


def silence(batch_size: tf.Tensor | int, n_pitches: int) -> Memory:
    """The memory after a long silence."""
    return Memory(
        states=tf.fill([batch_size, n_pitches], SILENT),
        ages=tf.fill([batch_size, n_pitches], LONGEST),
        traces=tf.zeros([batch_size, len(_TRACE_FRAMES), n_pitches]),
        since=tf.fill([batch_size], LONGEST),
        intervals=tf.fill([batch_size, _INTERVALS], LONGEST),
    )


def after(memory: Memory, states: tf.Tensor) -> Memory:
    """The memory after one more frame, of `states` int32 [batch, n_pitches]."""
    struck = states == STRUCK
    changed = struck | ((states == SILENT) & (memory.states != SILENT))
    ages = tf.where(changed, 0.0, tf.minimum(memory.ages + 1, LONGEST))
    decays = tf.constant(_DECAYS)[:, tf.newaxis]
    traces = memory.traces * decays + tf.cast(struck, tf.float32)[:, tf.newaxis]
    any_struck = tf.reduce_any(struck, axis=1)
    waited = tf.minimum(memory.since + 1, LONGEST)
    is_new = any_struck & (waited > CHORD_FRAMES)
    shifted = tf.concat([waited[:, tf.newaxis], memory.intervals[:, :-1]], axis=1)
    return Memory(
        states=states,
        ages=ages,
        traces=traces,
        since=tf.where(any_struck, 0.0, waited),
        intervals=tf.where(is_new[:, tf.newaxis], shifted, memory.intervals),
    )


def memories(states: tf.Tensor) -> Memory:
    """The memory after each frame of `states` int32 [batch, frames, n_pitches].

    Its tensors are [batch, frames, ...]. Silence comes before the first frame.
    """
    start = silence(tf.shape(states)[0], states.shape[2])
    over_time = tf.scan(after, tf.transpose(states, [1, 0, 2]), start)
    return Memory(*(tf.stop_gradient(_batch_first(each)) for each in over_time))


def features(memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network is given of a memory: of each pitch, and of all together.

    Of each pitch, float32 [..., n_pitches, pitch_width()]: first whether it sounds, whether it was
    struck just now, and its traces; then its age, on a logarithmic scale, as it sounds or not. Of
    all, float32 [..., common_width()]: the times since the last onset, also as multiples of the
    last interval, and the intervals.
    """
    sounding = tf.cast(memory.states != SILENT, tf.float32)[..., tf.newaxis]
    struck = tf.cast(memory.states == STRUCK, tf.float32)[..., tf.newaxis]
    traces = tf.math.log1p(tf.stack(tf.unstack(memory.traces, axis=-2), axis=-1))
    ages = _log_hats(memory.ages)
    pitch = tf.concat([sounding, struck, traces, ages * sounding, ages * (1 - sounding)], axis=-1)
    since = memory.since[..., tf.newaxis] + 1
    late = since - memory.intervals[..., :1] * tf.constant(_MULTIPLES)
    widths = tf.constant(np.maximum(1, np.abs(_OFFSETS) / 2).astype(np.float32))
    beats = tf.nn.relu(1 - tf.abs(late[..., tf.newaxis] - tf.constant(_OFFSETS)) / widths)
    common = tf.concat(
        [
            _log_hats(memory.since),
            _flat(beats),
            _flat(_log_hats(memory.intervals)),
            tf.reduce_sum(sounding, axis=-2) / 4,
        ],
        axis=-1,
    )
    return pitch, common


SEEN_BY_OTHERS = 2 + len(_TRACE_FRAMES)
"""How many of a pitch's features, the first ones, say what it is to the other pitches."""


def pitch_width() -> int:
    return SEEN_BY_OTHERS + 2 * _KNOTS


def common_width() -> int:
    return _KNOTS * (1 + _INTERVALS) + len(_MULTIPLES) * len(_OFFSETS) + 1


def _log_hats(frames: tf.Tensor) -> tf.Tensor:
    """Times [...] as [..., knots]: how near log2(1 + frames) is to each of 0, 1, 2, ...

    Between two knots, the two share a sum of 1, so that a linear layer above makes a function that
    is linear between the knots.
    """
    log = tf.math.log(1 + frames) / math.log(2)
    return tf.nn.relu(1 - tf.abs(log[..., tf.newaxis] - tf.range(_KNOTS, dtype=tf.float32)))


def _flat(values: tf.Tensor) -> tf.Tensor:
    """[..., a, b] as [..., a * b]."""
    *_, rows, columns = values.shape
    return tf.reshape(values, tf.concat([tf.shape(values)[:-2], [rows * columns]], 0))


def _batch_first(values: tf.Tensor) -> tf.Tensor:
    return tf.transpose(values, [1, 0, *range(2, len(values.shape))])
