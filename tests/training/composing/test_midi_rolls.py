from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import PRESETS, FeatureConfig
from tests.support.composers import NOTES, roll_of
from tests.support.dataset_factory import ALL_FEATURES
from training import TrainingError
from training.composing.midi_rolls import MidiWindows, read_pieces
from training.composing.states import rolls_of, states_of
from training.midi import Note, read_midi, write_midi
from training.rolls import note_frames, notes_of_rolls

CONFIG = PRESETS["librosa"]


def rasterized(notes: list[Note], config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """`notes` and `onsets`, uint8 [frames, 128], up to the end of the last note."""
    drawn = note_frames(notes, config)
    frames = int(drawn.stop.max(initial=0))
    return drawn.piano_rolls(0, frames, frames)


@given(st.integers(0, 10_000_000), st.integers(1, 1_000_000), st.integers(0, 127))
def test_a_note_has_the_frames_that_the_format_gives_its_label(
    start: int, length: int, pitch: int
) -> None:
    """Times are samples at 44,100 Hz; a frame is ceil(t * sample_rate / (44100 * hop_length))."""
    first, end = (
        math.ceil(Fraction(each * CONFIG.sample_rate, 44_100 * CONFIG.hop_length))
        for each in (start, start + length)
    )
    notes, onsets = rasterized([Note(start / 44_100, (start + length) / 44_100, pitch)], CONFIG)
    assert np.argwhere(onsets).tolist() == [[first, pitch]]
    sounding = list(range(first, max(end, first + 1)))
    assert np.argwhere(notes).tolist() == [[each, pitch] for each in sounding]
    assert len(notes) == max(end, first + 1)


@given(NOTES)
def test_a_roll_becomes_notes_and_the_same_roll_again(notes: list[tuple[int, int, int]]) -> None:
    """Also through a MIDI file, whose times are rounded to a millisecond."""
    states = states_of(*roll_of(notes, 20), (0, 127)).numpy()
    rolls = rolls_of(states, (0, 127))
    found = notes_of_rolls(*rolls, CONFIG.frames_per_second)
    for each in (found, read_midi(write_midi(found))):
        for roll, again in zip(rolls, rasterized(each, CONFIG), strict=True):
            np.testing.assert_array_equal(np.pad(again, [(0, 20 - len(again)), (0, 0)]), roll)


def test_windows_are_the_slices_of_the_whole_and_padding_weighs_nothing() -> None:
    rng = np.random.default_rng(0)
    rate = ALL_FEATURES.frames_per_second
    pieces = [
        [
            Note(start / rate, (start + 3) / rate, int(pitch))
            for start, pitch in rng.integers(0, [frames, 128], (9, 2))
        ]
        for frames in (40, 30, 5)
    ]
    midi = MidiWindows(pieces, ALL_FEATURES)
    expected = []
    for piece in pieces:
        notes, onsets = rasterized(piece, ALL_FEATURES)
        for first in range(0, len(notes), 12):
            part = [each[first : first + 12] for each in (notes, onsets)]
            valid = len(part[0])
            padded = [np.pad(each, [(0, 12 - valid), (0, 0)]).tobytes() for each in part]
            expected.append((*padded, (np.arange(12) < valid).astype(np.float32).tobytes()))
    assert len(midi) == len(expected)
    epochs = []
    for _ in range(2):
        batches = list(midi.batches(1, seed=0).take(2 * len(midi)))
        rows = [
            tuple(batch[name].numpy()[0].tobytes() for name in ("notes", "onsets", "weights"))
            for batch in batches
        ]
        epochs.append(rows)
    assert epochs[0] == epochs[1]
    earlier, later = epochs[0][: len(midi)], epochs[0][len(midi) :]
    assert sorted(earlier) == sorted(later) == sorted(expected)
    assert earlier != later


def test_files_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name, pitch in (("b.midi", 61), ("a/c.mid", 60), ("d.MID", 62), ("e.txt", 63)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(write_midi([Note(0, 1, pitch)]))
    assert [piece[0].pitch for piece in read_pieces(str(tmp_path))] == [60, 61, 62]


def test_a_file_that_is_no_midi_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"no")
    with pytest.raises(TrainingError, match=r"x\.mid: cannot be read as a standard MIDI file"):
        read_pieces(str(tmp_path))
