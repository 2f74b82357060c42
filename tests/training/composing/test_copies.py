from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.composing.copies import find_copies, longest_common_run, note_tokens
from training.composing.windows import Roll

TOKENS = st.lists(st.integers(0, 2), max_size=12)


def longest_by_trying(piece: list[int], others: list[list[int]]) -> int:
    best = 0
    for first in range(len(piece)):
        for end in range(first + 1, len(piece) + 1):
            run = piece[first:end]
            for other in others:
                starts = range(len(other) - len(run) + 1)
                if any(other[start : start + len(run)] == run for start in starts):
                    best = max(best, end - first)
    return best


@given(TOKENS, st.lists(TOKENS, max_size=3))
def test_the_longest_run_is_the_one_that_trying_all_of_them_finds(
    piece: list[int], others: list[list[int]]
) -> None:
    arrays = [np.array(each, np.int64) for each in others]
    found = longest_common_run(np.array(piece, np.int64), arrays)
    assert found == longest_by_trying(piece, others)


def music(seed: int, onsets: int) -> NDArray[np.int64]:
    """Pairs of a frame and a pitch: notes at random times, now and then two at once."""
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.choice([0, 3, 6, 11, 20], onsets))
    return np.unique(np.stack([frames, rng.integers(40, 80, onsets)], axis=1), axis=0)


def roll(name: str, pairs: NDArray[np.int64], first: int = 0) -> Roll:
    onsets = np.zeros((int(pairs[:, 0].max(initial=0)) + 1, 128), np.uint8)
    onsets[pairs[:, 0], pairs[:, 1]] = 1
    return Roll(name, first, onsets, onsets)


@given(st.integers(0, 1000), st.integers(-12, 12), st.integers(0, 50))
def test_a_copied_excerpt_is_found_in_another_key_and_at_another_time(
    seed: int, semitones: int, delay: int
) -> None:
    original, piece = music(seed, 120), music(seed + 1, 40)
    excerpt = original[30:60]
    moved = excerpt - [excerpt[0, 0] - delay, -semitones]
    piece = np.add(piece, [moved[-1, 0] + 4, 0])
    with_copy = roll("piece", np.concatenate([moved, piece])).onsets
    training = [roll("other", music(seed + 2, 100)), roll("original", original)]
    found = find_copies([with_copy, roll("piece", piece).onsets], [], training)
    assert found.composed[0] >= len(excerpt)
    assert found.composed[1] < 10
    assert found.is_copy


def test_music_that_others_have_in_common_is_no_copy() -> None:
    scale = np.array([[5 * number, 60 + number] for number in range(8)])
    training = [roll("training", scale)]
    found = find_copies([roll("piece", scale[:5]).onsets], [roll("test", scale[1:])], training)
    assert found.composed == (5,)
    assert found.held_out == {"test": 7}
    assert (found.bound, found.is_copy) == (7, False)


def test_a_recording_is_whole_whatever_the_order_and_the_overlap_of_its_windows() -> None:
    pairs = music(5, 60)
    cut = int(pairs[30, 0])
    late = np.subtract(pairs[pairs[:, 0] >= cut - 10], [cut - 10, 0])
    windows = [roll("a", late, first=cut - 10), roll("a", pairs[pairs[:, 0] <= cut])]
    found = find_copies([roll("piece", pairs).onsets], [], windows)
    assert found.composed == (len(pairs),)


def test_pieces_without_notes_have_nothing_in_common() -> None:
    silent = np.zeros((9, 128), np.uint8)
    found = find_copies([silent], [Roll("test", 0, silent, silent)], [roll("t", music(0, 20))])
    assert not found.is_copy
    assert len(note_tokens(np.argwhere(silent))) == 0
