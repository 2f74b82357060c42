"""Small composers, and piano rolls for them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.composing import Composer, ComposerConfig
from training.composing.config import ComposerTraining
from training.composing.states import N_STATES, SILENT, STRUCK


def composer(*, pitches: int = 3, chained: bool = True, dropout: float = 0.0) -> Composer:
    """A model with weights large enough for past and chain to matter."""
    config = ComposerConfig(
        pitches=(60, 59 + pitches), units=6, channels=5, chained=chained, dropout=dropout
    )
    model = Composer(config)
    model.build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return model


def possible_frames(before: list[int]) -> list[tuple[int, ...]]:
    """All frames that may follow: what was silent is not held."""
    choices = [(SILENT, STRUCK) if each == SILENT else range(N_STATES) for each in before]
    return list(itertools.product(*choices))


def roll_of(
    notes: list[tuple[int, int, int]], frames: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The rolls of notes (pitch, first frame, frames), as the format of datasets defines them."""
    sounding, onsets = np.zeros((2, frames, 128), np.uint8)
    for pitch, first, length in notes:
        sounding[first : first + length, pitch] = 1
        onsets[first, pitch] = 1
    return sounding, onsets


SMALL = ComposerConfig(pitches=(30, 90), units=8, channels=4, dropout=0.1)
SOON = ComposerTraining(steps=4, batch_size=4, warmup_steps=1)
"""A network and a training that take a few seconds."""

NOTES = st.lists(
    st.tuples(st.integers(0, 127), st.integers(0, 19), st.integers(1, 20)), max_size=30
)
"""Notes of MIDI pitches, first frames and lengths, of which some may go on beyond 20 frames."""
