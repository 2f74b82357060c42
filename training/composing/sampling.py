"""Composed pieces: each frame is drawn from the model and becomes part of its past."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.composing.model import Composer, ComposerState
from training.composing.states import rolls_of, states_of

BLOCK_FRAMES = 256
"""Frames that are drawn by one call of TensorFlow: random numbers are held for these alone."""


def compose(
    model: Composer,
    frames: int,
    *,
    seeds: list[int],
    temperature: float = 1.0,
    prime: tuple[NDArray[Any], NDArray[Any]] | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A piece for each of `seeds`: `notes` and `onsets`, uint8 [seeds, frames, 128].

    The roll begins after a silence, or with `prime`, the notes and onsets [any, 128] that the
    model hears first and that are not part of the result. `temperature` 1 draws from the model;
    less makes each pitch do what is likelier, which is to go on as it does. All randomness of a
    piece is numpy's PCG64 of its seed, in the order of the frames, so that a longer piece begins as
    a shorter one does. `progress` is given the number of frames after each block of them.
    """
    heard, drawn = _loops_of(model)
    state = model.start(len(seeds))
    if prime is not None and len(prime[0]):
        states = states_of(*prime, model.config.pitches)
        state = heard(state, tf.repeat(states[:, tf.newaxis], len(seeds), axis=1))
    generators = [np.random.default_rng(seed) for seed in seeds]
    n_pitches = model.config.n_pitches
    composed = np.empty((len(seeds), frames, n_pitches), np.uint8)
    for first in range(0, frames, BLOCK_FRAMES):
        block = composed[:, first : first + BLOCK_FRAMES]
        shape = (block.shape[1], n_pitches)
        uniform = np.stack([each.random(shape, np.float32) for each in generators], axis=1)
        found, state = drawn(state, tf.constant(uniform), tf.constant(temperature, tf.float32))
        block[:] = np.swapaxes(found.numpy(), 0, 1)
        progress(block.shape[1])
    return rolls_of(composed, model.config.pitches)


_Loops = tuple[Callable[..., Any], Callable[..., Any]]

_LOOPS: MutableMapping[Composer, _Loops] = weakref.WeakKeyDictionary()
"""What was compiled for each model, for as long as the model lives."""


def _loops_of(model: Composer) -> _Loops:
    """`_heard` and `_drawn` of a model, compiled once for any number of pieces and frames."""
    if model not in _LOOPS:
        if not model.built:
            model.build()
        weak: Any = weakref.proxy(model)
        n_pitches = model.config.n_pitches
        state = tf.nest.map_structure(
            lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), model.start(1)
        )
        primes = tf.TensorSpec([None, None, n_pitches], tf.int32)
        uniform, temperature = tf.TensorSpec([None, None, n_pitches]), tf.TensorSpec([])
        _LOOPS[model] = (
            tf.function(functools.partial(_heard, weak), input_signature=[state, primes]),
            tf.function(
                functools.partial(_drawn, weak), input_signature=[state, uniform, temperature]
            ),
        )
    return _LOOPS[model]


def _heard(model: Composer, state: ComposerState, primes: tf.Tensor) -> ComposerState:
    """The state after the frames `primes`, int32 [frames, pieces, n_pitches]."""
    for states in primes:
        _, state = model.hear(state, states)
    return state


def _drawn(
    model: Composer, state: ComposerState, uniform: tf.Tensor, temperature: tf.Tensor
) -> tuple[tf.Tensor, ComposerState]:
    """States [frames, pieces, n_pitches], and the state after them."""
    count = tf.shape(uniform)[0]
    drawn = tf.TensorArray(tf.int32, count)
    for number in tf.range(count):
        states, state = model.draw(state, uniform[number], temperature)
        drawn = drawn.write(number, states)
    return drawn.stack(), state
