from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas import FeatureConfig
from schemas.notes import NoteFrames
from schemas.tables import LABELS
from tests.support.reference import Note, whole_rolls

CONFIG = FeatureConfig(hop_length=256)
FAR = 1 << 62


def table(notes: list[tuple[int, int, int]]) -> pa.Table:
    rows = [
        {"start_time": start, "end_time": end, "note": note, "instrument": 1, "note_value": ""}
        for start, end, note in notes
    ]
    return pa.Table.from_pylist(rows, LABELS)


def test_times_beyond_all_numbers_do_no_harm() -> None:
    sounding, onsets = NoteFrames.from_labels(
        table([(-FAR, FAR, 60), (FAR, -FAR, 61), (-FAR, -FAR, 62)]), CONFIG
    ).piano_rolls(0, 10, 10)
    assert sounding.sum(axis=0)[60:63].tolist() == [10, 0, 1]
    assert onsets.sum(axis=0)[60:63].tolist() == [1, 0, 1]


def test_a_table_without_rows_has_no_notes() -> None:
    assert len(NoteFrames.from_labels(table([]), CONFIG).pitch) == 0


notes = st.lists(
    st.tuples(st.integers(-100, 30_000), st.integers(-100, 40_000), st.integers(0, 127)),
    max_size=12,
)


@given(notes=notes, first=st.integers(0, 30), frames=st.integers(1, 40), data=st.data())
def test_rolls_are_the_slice_of_the_whole(
    notes: list[tuple[int, int, int]], first: int, frames: int, data: st.DataObject
) -> None:
    valid = data.draw(st.integers(1, frames))
    sounding, onsets = NoteFrames.from_labels(table(notes), CONFIG).piano_rolls(
        first, frames, valid
    )
    expected = whole_rolls([Note(*note) for note in notes], first + valid, CONFIG)
    for found, name in ((sounding, "notes"), (onsets, "onsets")):
        np.testing.assert_array_equal(found[:valid], expected[name][first:])
        assert not found[valid:].any()


@given(start=st.integers(0, 20_000), length=st.integers(0, 3_000))
def test_no_note_is_lost(start: int, length: int) -> None:
    sounding, onsets = NoteFrames.from_labels(
        table([(start, start + length, 60)]), CONFIG
    ).piano_rolls(0, 60, 60)
    assert onsets.sum() == 1
    assert sounding[onsets == 1].all()


@given(
    notes=st.lists(
        st.tuples(
            st.integers(-100, 30_000),
            st.integers(-100, 40_000),
            st.integers(60, 62),
            st.integers(-1, 130),
        ),
        max_size=12,
    ),
    first=st.integers(0, 30),
    frames=st.integers(1, 40),
    data=st.data(),
)
def test_instruments_are_those_of_the_notes_that_started_last(
    notes: list[tuple[int, int, int, int]], first: int, frames: int, data: st.DataObject
) -> None:
    valid = data.draw(st.integers(1, frames))
    labels = pa.Table.from_pylist(
        [
            {"start_time": start, "end_time": end, "note": note, "instrument": program}
            for start, end, note, program in notes
        ],
        LABELS,
    )
    labeled = NoteFrames.from_labels(labels, CONFIG)
    found = labeled.instruments(first, frames, valid)
    assert found.dtype == np.uint8
    assert found.shape == (frames, 128)
    assert not found[valid:].any()
    period = 44_100 * CONFIG.hop_length
    for frame in range(first, first + valid):
        for pitch in (60, 61, 62):
            sounding = []
            for start, end, note, program in notes:
                begin = max(0, -(-start * CONFIG.sample_rate // period))
                stop = max(begin + 1, -(-end * CONFIG.sample_rate // period))
                if note == pitch and begin <= frame < stop:
                    sounding.append((begin, program if 1 <= program <= 128 else 0))
            expected = max(sounding)[1] if sounding else 0
            assert found[frame - first, pitch] == expected
