"""How much of a piece is in other pieces, note for note, in whatever key and from whatever time."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.composing.windows import Roll

_STEPS_PER_OCTAVE = 2
"""Times between onsets are alike within a quarter of an octave: a factor of 1.19."""

_PITCHES = 256


@dataclasses.dataclass(frozen=True)
class Copies:
    """The most onsets in a row that are in training recordings, too, in any key.

    `composed` is that of each composed piece, `held_out` that of each recording of another split.
    """

    composed: tuple[int, ...]
    held_out: Mapping[str, int]

    @property
    def bound(self) -> int:
        """What music has in common with other music."""
        return max(self.held_out.values(), default=0)

    @property
    def is_copy(self) -> bool:
        """Whether a piece has more in common with training recordings than all other music."""
        return max(self.composed) > self.bound


def find_copies(
    pieces: Sequence[NDArray[np.integer]], held_out: Iterable[Roll], training: Iterable[Roll]
) -> Copies:
    """Compares the onsets of pieces, [frames, 128], and of recordings with those of training.

    Only tokens are in memory, eight bytes an onset.
    """
    known = list(_recording_tokens(training).values())
    others = _recording_tokens(held_out)
    return Copies(
        tuple(_run_of_onsets(note_tokens(np.argwhere(each)), known) for each in pieces),
        {name: _run_of_onsets(tokens, known) for name, tokens in sorted(others.items())},
    )


def note_tokens(onsets: NDArray[np.integer]) -> NDArray[np.int64]:
    """A token for each onset but the first, in the order of time, and of pitch within a frame.

    `onsets` are pairs [onsets, 2] of a frame and a pitch, each once, in any order. A token is the
    interval from the onset before, in semitones, and the time since then, rounded on a logarithmic
    scale. So a piece has the tokens of its transpositions.

    Examples:
        >>> melody = np.array([[0, 60], [10, 64], [20, 62]])
        >>> bool((note_tokens(melody) == note_tokens(melody + [300, -7])).all())
        True
    """
    frames, pitches = np.unique(onsets, axis=0).T
    waits = np.diff(frames)
    rounded = np.round(_STEPS_PER_OCTAVE * np.log2(np.maximum(waits, 1))).astype(np.int64) + 1
    times = np.where(waits > 0, rounded, 0)
    return times * _PITCHES + np.diff(pitches) + _PITCHES // 2


def longest_common_run(piece: NDArray[np.int64], others: Sequence[NDArray[np.int64]]) -> int:
    """The most tokens in a row of `piece` that one of `others` has in a row, too.

    Runs of 1, 2, 4, ... tokens are numbered so that equal ones have equal numbers, and a run of any
    other length is two of these that overlap (Karp, Miller and Rosenberg 1972, Rapid Identification
    of Repeated Patterns). For n tokens in all, it takes n log(n)^2 steps.

    Examples:
        >>> longest_common_run(np.array([9, 1, 2, 3, 9]), [np.array([1, 2]), np.array([1, 2, 3])])
        3
    """
    # A token of its own after each piece, so that no run goes on into the next one.
    parts = []
    for number, tokens in enumerate([piece, *others]):
        parts += [tokens, np.array([-1 - number])]
    ids = [_numbered(np.concatenate(parts))]
    size = len(piece)

    def has_run(length: int) -> bool:
        level = length.bit_length() - 1
        while len(ids) <= level:
            ids.append(_numbered(_pairs(ids[-1], 1 << (len(ids) - 1))))
        runs = _pairs(ids[level], length - (1 << level))
        return bool(np.isin(runs[: size - length + 1], runs[size + 1 :]).any())

    shared, beyond = 0, min(size, max(map(len, others), default=0)) + 1
    while beyond - shared > 1:
        middle = (shared + beyond) // 2
        shared, beyond = (middle, beyond) if has_run(middle) else (shared, middle)
    return shared


def _run_of_onsets(tokens: NDArray[np.int64], known: Sequence[NDArray[np.int64]]) -> int:
    """A run of n tokens is one of n + 1 onsets."""
    return longest_common_run(tokens, known) + 1


def _recording_tokens(windows: Iterable[Roll]) -> dict[str, NDArray[np.int64]]:
    """The tokens of each recording, whose windows may come in any order, and overlap."""
    found = defaultdict(list)
    for window in windows:
        onsets = np.argwhere(window.onsets).astype(np.int32)
        found[window.recording_id].append(onsets + np.array([window.first_frame, 0], np.int32))
    return {name: note_tokens(np.concatenate(parts)) for name, parts in found.items()}


def _numbered(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Equal values as equal numbers from 0."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _pairs(ids: NDArray[np.int64], distance: int) -> NDArray[np.int64]:
    """A number for each position's pair of an id and the one `distance` after it."""
    return ids[: len(ids) - distance] * (int(ids.max()) + 1) + ids[distance:]
