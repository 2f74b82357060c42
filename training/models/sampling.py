"""Free-running samples: each frame is drawn from the model and becomes its next input."""

from __future__ import annotations

import dataclasses
import functools
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.config import (
    DEFAULT_SCORE_TEMPERATURE,
    DEFAULT_TEMPERATURE,
    FrameModelConfig,
)
from training.errors import TrainingError
from training.horizon import NOTES_AHEAD
from training.models.frame_model import FrameModel, State
from training.models.score import Score
from training.models.templates import NOTES_BEHIND

LEAST_TEMPERATURE = 0.6
"""Below it, the level of noise stays what it is there."""

LEAK = 0.015
"""It keeps half a minute of a long piece about as loud as another.

Errors that all bins share add up, and the noise of training, which each bin has for itself, does
not teach the model to correct them: without the leak, half minutes of the demo's model lie between
8 and 62 dB. With 0.01, they lie between 25 and 54 dB; with 0.015, between 28 and 51; with more, a
frame differs less from the one before it than in music.
"""

BLOCK_FRAMES = 256
"""Frames that are drawn by one call of TensorFlow: random numbers are held for these alone."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How frames are drawn; by default from the model as it is.

    `temperature` is that of `likelihood.draw`. `noise_level` is what the network is given as the
    level of the noise in its inputs, in standard deviations of a bin: somewhat above 0, it corrects
    its own errors more. `leak` is the share of a bin's distance from its mean by which the model
    hears the bin nearer to that mean, which keeps long pieces as loud as music.
    """

    temperature: float = 1.0
    noise_level: float = 0.0
    leak: float = 0.0

    @classmethod
    def for_music(cls, temperature: float = DEFAULT_TEMPERATURE) -> Self:
        """What keeps samples at a temperature nearest to the loudness of music.

        The level of noise falls in a line from 0.15 at temperature 0.75 to 0 at 1.5, which was
        found by trying. A sample gets louder with the temperature and with this level: the
        predicted scales contain it, and less noise in each frame means fewer and softer onsets,
        while notes decay all the same.

        Examples:
            >>> [round(SamplingConfig.for_music(each).noise_level, 2) for each in (0.5, 1, 2)]
            [0.18, 0.1, 0.0]
        """
        return dataclasses.replace(cls.for_score(temperature), leak=LEAK)

    @classmethod
    def for_score(cls, temperature: float = DEFAULT_SCORE_TEMPERATURE) -> Self:
        """The same for a model that hears notes, whose levels the score keeps in place."""
        noise_level = max(0.0, 0.3 - 0.2 * max(temperature, LEAST_TEMPERATURE))
        return cls(temperature=temperature, noise_level=noise_level)


def sampling_of(model: FrameModelConfig, temperature: float | None = None) -> SamplingConfig:
    """How `generate` samples a model: at this temperature, or at the default one."""
    given = {} if temperature is None else {"temperature": temperature}
    hears_notes = "notes" in model.hears
    return SamplingConfig.for_score(**given) if hears_notes else SamplingConfig.for_music(**given)


def sample_levels(
    model: FrameModel,
    frames: int,
    *,
    seeds: list[int],
    config: SamplingConfig = SamplingConfig(),
    prime: NDArray[np.int32] | None = None,
    score: Score | None = None,
) -> NDArray[np.int32]:
    """A piece for each of `seeds`: grid indices, int32 [seeds, frames, n_mels].

    `prime` int32 [any, n_mels] is what the model hears before the first frame that it draws; it is
    not part of the result. `score` is that of each piece, or of all, from the first frame of the
    prime on, for a model that hears notes; after its end, nothing sounds. All randomness of a piece
    is numpy's PCG64 of its seed, in the order of the frames, so that a longer piece begins as a
    shorter one does. Beyond the result, memory does not depend on `frames`. Raises `TrainingError`
    for a model that cannot be sampled like this.
    """
    _require_drawable(model, len(seeds), score)
    heard, drawn = _loops_of(model)
    primed = 0 if prime is None else len(prime)
    state = model.start(len(seeds), config.noise_level, config.leak)
    temperature = tf.constant(config.temperature, tf.float32)
    if prime is not None and primed:
        primes = tf.constant(np.repeat(prime[:, np.newaxis], len(seeds), axis=1))
        state = heard(state, primes, _heard_of(model, score, 0, primed, len(seeds)))
    generators = [np.random.default_rng(seed) for seed in seeds]
    levels = np.empty((len(seeds), frames, model.config.n_mels), np.int32)
    for first in range(0, frames, BLOCK_FRAMES):
        block = levels[:, first : first + BLOCK_FRAMES]
        uniform = _uniform(generators, block.shape[1], model.config.n_mels)
        notes = _heard_of(model, score, primed + first, block.shape[1], len(seeds))
        found, state = drawn(state, tf.constant(uniform), temperature, notes)
        block[:] = np.swapaxes(found.numpy(), 0, 1)
    return levels


def _uniform(
    generators: list[np.random.Generator], frames: int, n_mels: int
) -> NDArray[np.float32]:
    """What `likelihood.draw` takes for each frame: [frames, 2, pieces, n_mels]."""
    drawn = [generator.random((frames, 2, n_mels)) for generator in generators]
    # Away from 0 and 1, whose logarithms are infinite, also after rounding to float32.
    return np.clip(np.stack(drawn, axis=2), 1e-7, 1 - 1e-7).astype(np.float32)


def _require_drawable(model: FrameModel, pieces: int, score: Score | None) -> None:
    config = model.config
    if not config.generates:
        raise TrainingError(
            f"a model that hears {' and '.join(config.hears)} with the horizon {config.horizon} "
            "cannot generate, since its frames do not follow from the frames before them alone; "
            "train one that hears frequency, with the horizon overlap"
        )
    if ("notes" in config.hears) != (score is not None):
        raise TrainingError(
            "the model hears notes, so it needs a score"
            if score is None
            else "the model hears no notes, so it takes no score; train one that hears notes"
        )
    if score is not None and len(score.notes) not in (1, pieces):
        raise TrainingError(
            f"score has {len(score.notes)} pieces for {pieces} seeds; give one score, or one a seed"
        )


def _heard_of(
    model: FrameModel, score: Score | None, first: int, frames: int, pieces: int
) -> tf.Tensor:
    """What the model hears of `frames` of the score from `first` on: [frames, pieces, units]."""
    if score is None:
        return tf.zeros([frames, pieces, 0])
    part = score.frames(first - NOTES_BEHIND, NOTES_BEHIND + frames + NOTES_AHEAD)
    heard = model.hear_score(part.notes, part.onsets)[:, NOTES_BEHIND : NOTES_BEHIND + frames]
    return tf.repeat(tf.transpose(heard, [1, 0, 2]), pieces // len(part.notes), axis=1)


_Loops = tuple[Callable[..., Any], Callable[..., Any]]

_LOOPS: MutableMapping[FrameModel, _Loops] = weakref.WeakKeyDictionary()
"""What was compiled for each model, for as long as the model lives."""


def _loops_of(model: FrameModel) -> _Loops:
    """`_heard` and `_drawn` of a model, compiled once for any number of pieces and frames."""
    if model not in _LOOPS:
        weak: Any = weakref.proxy(model)
        n_mels = model.config.n_mels
        state = tf.nest.map_structure(
            lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), model.start(1)
        )
        primes = tf.TensorSpec([None, None, n_mels], tf.int32)
        score = tf.TensorSpec([None, None, model.score_width])
        uniform, temperature = tf.TensorSpec([None, 2, None, n_mels]), tf.TensorSpec([])
        _LOOPS[model] = (
            tf.function(functools.partial(_heard, weak), input_signature=[state, primes, score]),
            tf.function(
                functools.partial(_drawn, weak),
                input_signature=[state, uniform, temperature, score],
            ),
        )
    return _LOOPS[model]


def _heard(model: FrameModel, state: State, primes: tf.Tensor, score: tf.Tensor) -> State:
    """The state after the frames `primes`, int32 [frames, pieces, n_mels]."""
    for number in tf.range(tf.shape(primes)[0]):
        _, state = model.hear(state, primes[number], score[number])
    return state


def _drawn(
    model: FrameModel, state: State, uniform: tf.Tensor, temperature: tf.Tensor, score: tf.Tensor
) -> tuple[tf.Tensor, State]:
    """Levels [frames, pieces, n_mels], and the state after them."""
    count = tf.shape(uniform)[0]
    drawn = tf.TensorArray(tf.int32, count)
    for number in tf.range(count):
        levels, state = model.sample(state, uniform[number], temperature, score[number])
        drawn = drawn.write(number, levels)
    return drawn.stack(), state
