"""What any model of piano rolls has to beat: Markov chains of each pitch by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.composing.states import HELD, N_STATES, SILENT

NAMES = ("same for all pitches", "by pitch")

_PRIOR_FRAMES = 100
"""The chain of a pitch counts as if it had been seen for this many frames as all pitches are."""


@dataclasses.dataclass(frozen=True, eq=False)
class PitchChains:
    """A Markov chain for each pitch: log2 of the probabilities, float64 [n_pitches, 2, 3].

    The second axis says whether the pitch sounded in the frame before, the third is the state.
    """

    log2_probs: NDArray[np.float64]

    def bits(self, states: NDArray[Any]) -> NDArray[np.float64]:
        """-log2 p of each frame but the first, float64 [frames - 1].

        `states` [frames, n_pitches] are those of `states.states_of`.
        """
        pitches = np.arange(states.shape[1])
        sounded = (states[:-1] != SILENT).astype(np.intp)
        return -self.log2_probs[pitches, sounded, states[1:]].sum(axis=1)


def fit_chains(windows: Iterable[NDArray[Any]], n_pitches: int) -> dict[str, PitchChains]:
    """The two baselines of `NAMES`, fitted to windows of states [frames, n_pitches].

    "same for all pitches" is "the same as the last frame" as a probability: whether a silent pitch
    is struck, and whether one that sounds is held, falls silent, or is struck again, with the
    shares that these have over all pitches. "by pitch" has these shares for each pitch; what is
    rare there counts partly as for all pitches.
    """
    counts = np.zeros((n_pitches, 2, N_STATES))
    for states in windows:
        sounded = (states[:-1] != SILENT).astype(np.intp)
        pitches = np.broadcast_to(np.arange(n_pitches), sounded.shape)
        np.add.at(counts, (pitches, sounded, states[1:]), 1)
    possible = np.ones((2, N_STATES))
    possible[0, HELD] = 0
    pooled = counts.sum(axis=0) + possible
    pooled /= pooled.sum(axis=1, keepdims=True)
    each = counts + _PRIOR_FRAMES * pooled
    each /= each.sum(axis=2, keepdims=True)
    found = (np.broadcast_to(pooled, counts.shape), each)
    with np.errstate(divide="ignore"):
        return {name: PitchChains(np.log2(p)) for name, p in zip(NAMES, found, strict=True)}
