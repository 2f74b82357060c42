"""Counts beside those that plain Python makes, one value after the other."""

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import reduce

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.report.tally import LEVELS_DB, Tally, shares
from schemas import Window
from tests.support.dataset_factory import ALL_FEATURES

FRAMES, MELS = ALL_FEATURES.window_frames, ALL_FEATURES.n_mels
LEVELS = arrays.arrays(
    np.float32, (FRAMES, MELS), elements=st.floats(-150, 120, width=32, allow_nan=False)
)
ROLLS = arrays.arrays(np.uint8, (FRAMES, 128), elements=st.integers(0, 1), fill=st.just(0))
VALID = st.integers(1, FRAMES)


def tally(valid: int, **features: np.ndarray) -> Tally:
    return Tally.of(Window("x", 0, valid, features), ALL_FEATURES)


@given(log_mel=LEVELS, valid=VALID)
def test_levels_are_counted_to_the_nearest_decibel(log_mel: np.ndarray, valid: int) -> None:
    found = tally(valid, log_mel=log_mel)
    values = [float(each) for each in log_mel[:valid].ravel()]
    expected = Counter(round(min(max(each, -120.0), 80.0)) for each in values)
    assert {db: count for db, count in zip(LEVELS_DB, found.levels, strict=True) if count} == (
        expected
    )
    ordered = sorted(expected.elements())
    assert found.level_at(0.5) == ordered[-(-len(ordered) // 2) - 1]


@given(notes=ROLLS, valid=VALID)
def test_notes_are_counted_by_pitch_and_by_frame(notes: np.ndarray, valid: int) -> None:
    found = tally(valid, notes=notes)
    rows = notes[:valid].tolist()
    assert found.pitches.tolist() == [sum(row[pitch] for row in rows) for pitch in range(128)]
    by_frame = Counter(sum(row) for row in rows)
    assert found.polyphony.tolist() == [by_frame[count] for count in range(129)]
    assert found.frames == valid == found.polyphony.sum()


def test_a_frame_is_silent_if_nothing_is_above_the_floor() -> None:
    log_mel = np.full((FRAMES, MELS), ALL_FEATURES.floor_db, np.float32)
    log_mel[3, 0] += 1
    assert tally(FRAMES, log_mel=log_mel).silent == FRAMES - 1
    assert tally(3, log_mel=log_mel.astype(np.float16)).silent == 3
    waveform = np.zeros(FRAMES * ALL_FEATURES.hop_length, np.int16)
    waveform[ALL_FEATURES.hop_length * 5] = 1
    assert tally(FRAMES, waveform=waveform).silent == FRAMES - 1
    assert tally(FRAMES, waveform=waveform, log_mel=log_mel + 30).silent == 0


@given(windows=st.lists(st.tuples(LEVELS, ROLLS, VALID), min_size=1, max_size=4))
def test_sums_are_those_of_all_frames(
    windows: list[tuple[np.ndarray, np.ndarray, int]],
) -> None:
    parts = [tally(valid, log_mel=levels, notes=notes) for levels, notes, valid in windows]
    whole = reduce(Tally.__add__, parts, Tally.zero())
    for field in dataclasses.fields(Tally):
        expected = sum(np.asarray(getattr(part, field.name)) for part in parts)
        np.testing.assert_array_equal(getattr(whole, field.name), expected)


def test_nothing_counted_has_no_level_and_no_shares() -> None:
    assert Tally.zero().level_at(0.5) is None
    assert not shares(Tally.zero().pitches).any()
    assert shares(np.array([1, 3])).tolist() == [25, 75]
