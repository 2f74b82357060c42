from __future__ import annotations

import contextlib
import io
import itertools
from typing import Any

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import TrainingError
from training.midi import MAX_SECONDS, Note, read_midi, write_midi

TIMES = st.floats(0, 10, allow_nan=False)
PITCHES = st.integers(0, 127)


@st.composite
def some_notes(draw: st.DrawFn) -> Note:
    start, pitch = draw(TIMES), draw(PITCHES)
    return Note(start, start + draw(st.floats(0.001, 5)), pitch)


@st.composite
def apart(draw: st.DrawFn) -> list[Note]:
    """Notes of which those of one pitch are at least two milliseconds apart."""
    notes = []
    for pitch in draw(st.sets(PITCHES, max_size=5)):
        steps = draw(st.lists(st.floats(0.002, 3), min_size=2, max_size=8))
        times = [sum(steps[: number + 1]) for number in range(len(steps) // 2 * 2)]
        notes += [Note(*pair, pitch) for pair in zip(times[::2], times[1::2], strict=True)]
    return sorted(notes)


def midi(*messages: Any, ticks_per_beat: int = 480) -> bytes:
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=ticks_per_beat, tracks=[mido.MidiTrack(messages)]).save(file=file)
    return file.getvalue()


def on(pitch: int, time: int, **more: int) -> Any:
    return mido.Message("note_on", note=pitch, time=time, **more)


def off(pitch: int, time: int, **more: int) -> Any:
    return mido.Message("note_off", note=pitch, time=time, **more)


@settings(deadline=None)
@given(apart())
def test_what_is_written_is_read_to_a_millisecond(notes: list[Note]) -> None:
    found = {
        pitch: [each for each in read_midi(write_midi(notes)) if each.pitch == pitch]
        for pitch in {note.pitch for note in notes}
    }
    for pitch, read in found.items():
        written = [note for note in notes if note.pitch == pitch]
        assert len(read) == len(written)
        for one, other in zip(read, written, strict=True):
            assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=0.000_51)


@settings(deadline=None)
@given(st.lists(some_notes(), max_size=12), st.randoms())
def test_what_was_read_is_written_to_the_same_bytes(notes: list[Note], random: Any) -> None:
    data = write_midi(notes)
    random.shuffle(notes)
    assert write_midi(notes) == data
    assert write_midi(read_midi(data)) == data


@settings(deadline=None)
@given(st.lists(some_notes(), max_size=12))
def test_a_key_is_down_once_at_a_time_and_sounds_where_a_note_does(notes: list[Note]) -> None:
    read = read_midi(write_midi(notes))
    for pitch in {note.pitch for note in notes}:
        same = [note for note in read if note.pitch == pitch]
        for one, following in itertools.pairwise(same):
            assert one.end <= following.start + 1e-9
        starts = {round(note.start * 1_000) for note in notes if note.pitch == pitch}
        assert {round(note.start * 1_000) for note in same} == starts


def test_a_file_is_a_millisecond_to_the_tick() -> None:
    file = mido.MidiFile(file=io.BytesIO(write_midi([Note(1.5, 2.25, 60)])))
    assert file.length == pytest.approx(2.25)
    assert mido.second2tick(1.0, file.ticks_per_beat, 500_000) == 1_000


def test_changes_of_tempo_are_followed() -> None:
    data = midi(
        on(60, 0),
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=480),  # half a second at 120 a minute
        off(60, 480),  # a second at 60
        on(62, 240),
        mido.MetaMessage("set_tempo", tempo=250_000, time=0),
        off(62, 960),
    )
    assert read_midi(data) == [Note(0.0, 1.5, 60), Note(2.0, 2.5, 62)]


def test_tracks_and_channels_are_merged_without_percussion() -> None:
    tracks = [
        mido.MidiTrack([on(60, 0), off(60, 480)]),
        mido.MidiTrack([on(60, 240, channel=1), off(60, 480, channel=1)]),
        mido.MidiTrack([on(38, 0, channel=9), off(38, 480, channel=9)]),
    ]
    file = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=tracks).save(file=file)
    assert read_midi(file.getvalue()) == [Note(0.0, 0.5, 60), Note(0.25, 0.75, 60)]


def test_releases_that_are_missing_doubled_or_at_once() -> None:
    data = midi(
        off(60, 0),
        on(60, 480),
        on(60, 480),
        on(60, 480, velocity=0),  # a release, too
        on(64, 0),
        off(64, 0),
        mido.MetaMessage("end_of_track", time=480),
    )
    assert read_midi(data) == [Note(0.5, 1.5, 60), Note(1.0, 2.0, 60)]


@pytest.mark.parametrize("data", [b"", b"RIFF", b"MThd", write_midi([Note(0, 1, 60)])[:-3]])
def test_what_is_no_midi_file_is_an_error_with_its_name(data: bytes) -> None:
    with pytest.raises(TrainingError, match=r"^tune\.mid: cannot be read .*; choose another file"):
        read_midi(data, where="tune.mid")


def test_film_time_and_songs_apart_are_errors() -> None:
    data = bytearray(write_midi([Note(0, 1, 60)]))
    film = bytes([*data[:12], 0xE7, 40, *data[14:]])
    with pytest.raises(TrainingError, match="frames of a film"):
        read_midi(film)
    data[9] = 2
    with pytest.raises(TrainingError, match="cannot be read"):
        read_midi(bytes(data))


@settings(max_examples=300, deadline=None)
@given(st.lists(some_notes(), min_size=1, max_size=4), st.data())
def test_a_damaged_file_is_read_or_is_an_error(notes: list[Note], data: st.DataObject) -> None:
    damaged = bytearray(write_midi(notes))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TrainingError):
        found = read_midi(bytes(damaged))
        assert found == sorted(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((-1, 1, 60), "start=-1 must be a number"),
        ((0, MAX_SECONDS + 1, 60), "end=.* must be a number"),
        ((0, float("nan"), 60), "end=nan must be a number"),
        ((0, 1, 128), "pitch=128 must be an integer from 0 to 127"),
        ((1, 1, 60), "must be later"),
    ],
)
def test_an_impossible_note_is_an_error(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Note(*values)
