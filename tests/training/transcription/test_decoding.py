from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import FeatureConfig
from training.errors import TrainingError
from training.midi import Note
from training.rolls import note_frames, notes_of_rolls
from training.transcription.decoding import Thresholds, decode

CONFIG = FeatureConfig(sample_rate=25_600, hop_length=512)
RATE = CONFIG.frames_per_second


def rolls(pitch: int, sounding: str, begins: str) -> tuple[np.ndarray, np.ndarray]:
    """Rolls of one pitch, written as a digit per frame."""
    found = np.zeros((2, len(sounding), 128), np.uint8)
    found[:, :, pitch] = [list(map(int, sounding)), list(map(int, begins))]
    return found[0], found[1]


def test_a_note_lasts_from_its_onset_to_the_next_or_to_silence() -> None:
    found = notes_of_rolls(*rolls(60, "0111110110", "0100100000"), RATE)
    assert found == [Note(0.5 / RATE, 3.5 / RATE, 60), Note(3.5 / RATE, 5.5 / RATE, 60)]


def test_a_note_at_an_end_or_without_sound_lasts_for_a_frame() -> None:
    assert notes_of_rolls(*rolls(60, "100", "100"), RATE) == [Note(0.0, 0.5 / RATE, 60)]
    assert notes_of_rolls(*rolls(60, "000", "010"), RATE) == [Note(0.5 / RATE, 1.5 / RATE, 60)]
    assert notes_of_rolls(*rolls(60, "001", "001"), RATE) == [Note(1.5 / RATE, 2.5 / RATE, 60)]


@st.composite
def some_notes(draw: st.DrawFn) -> list[Note]:
    """Notes that start and end half a frame before the centers of frames."""
    notes = []
    for pitch in draw(st.sets(st.integers(0, 127), max_size=4)):
        edges = sorted(draw(st.sets(st.integers(1, 39), min_size=2, max_size=10)))
        pairs = zip(edges[::2], edges[1::2], strict=False)
        notes += [Note((one - 0.5) / RATE, (two - 0.5) / RATE, pitch) for one, two in pairs]
    return sorted(notes)


@settings(deadline=None)
@given(some_notes())
def test_rolls_hold_what_notes_say(notes: list[Note]) -> None:
    found = notes_of_rolls(*note_frames(notes, CONFIG).piano_rolls(0, 40, 40), RATE)
    assert [note.pitch for note in found] == [note.pitch for note in notes]
    for one, other in zip(found, notes, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end))


@settings(deadline=None)
@given(some_notes())
def test_certain_chances_are_decoded_as_the_rolls(notes: list[Note]) -> None:
    """But for onsets so near to another of their pitch that one of the two is no peak."""
    sounding, begins = note_frames(notes, CONFIG).piano_rolls(0, 40, 40)
    apart = np.array(begins)
    for shift in (1, 2):
        apart[shift:] &= 1 - begins[:-shift]
    found = decode(0.9 * sounding, 0.9 * begins, Thresholds(0.5, 0.5), RATE)
    assert {(note.start, note.pitch) for note in found} == {
        (note.start, note.pitch) for note in notes_of_rolls(sounding, apart, RATE)
    }


def test_an_onset_is_the_first_of_the_highest_chances_around() -> None:
    sounding, onsets = np.zeros((2, 9, 128))
    sounding[:, 60] = 0.8
    onsets[:, 60] = [0.1, 0.3, 0.6, 0.6, 0.5, 0.2, 0.1, 0.45, 0.2]
    found = decode(sounding, onsets, Thresholds(0.5, 0.4), RATE)
    assert [round(note.start * RATE + 0.5) for note in found] == [2, 7]
    assert [round(note.end * RATE + 0.5) for note in found] == [7, 9]
    assert len(decode(sounding, onsets, Thresholds(0.5, 0.5), RATE)) == 1
    assert decode(sounding, onsets, Thresholds(0.5, 0.7), RATE) == []


def test_an_impossible_threshold_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"onsets=1\.5 must be a number from 0 to 1"):
        Thresholds(0.5, 1.5)
