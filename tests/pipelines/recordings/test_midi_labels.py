"""Labels that are MIDI files, written with mido's own classes and with `training.midi`."""

from __future__ import annotations

import io

import mido
import pytest

from pipelines.errors import RejectedInputError
from pipelines.recordings.midi_labels import parse_midi_labels
from schemas.tables import LABELS


def midi(*messages: mido.Message | mido.MetaMessage, ticks_per_beat: int = 100) -> bytes:
    track = mido.MidiTrack(messages)
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=ticks_per_beat, tracks=[track]).save(file=file)
    return file.getvalue()


def test_times_follow_the_tempo_and_instruments_their_programs() -> None:
    data = midi(
        mido.Message("program_change", channel=0, program=40),
        mido.Message("note_on", note=69, time=100),  # After a beat at 120 a minute: 0.5 s.
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=50),  # 0.75 s
        mido.Message("note_on", note=69, velocity=0, time=100),  # A beat at 60: 1.75 s.
        mido.Message("note_on", note=60, channel=1),
        mido.Message("note_off", note=60, channel=1, time=25),
        mido.Message("note_on", note=36, channel=9),
        mido.Message("note_off", note=36, channel=9, time=100),
    )
    table = parse_midi_labels(data, where="x.mid")
    assert table.schema == LABELS
    assert table.to_pylist() == [
        {
            "start_time": 22_050,
            "end_time": 77_175,
            "instrument": 41,
            "note": 69,
            "start_beat": pytest.approx(1.0),
            "end_beat": pytest.approx(1.5),
            "note_value": "",
        },
        {
            "start_time": 77_175,
            "end_time": 88_200,
            "instrument": 1,
            "note": 60,
            "start_beat": pytest.approx(2.5),
            "end_beat": pytest.approx(0.25),
            "note_value": "",
        },
    ]


def test_no_notes_are_a_table_without_rows() -> None:
    assert parse_midi_labels(midi(), where="x.mid").num_rows == 0


@pytest.mark.parametrize("data", [b"", b"RIFF", midi()[:20], b"MThd" + bytes(40)])
def test_what_is_no_midi_file_is_refused(data: bytes) -> None:
    with pytest.raises(RejectedInputError, match=r"^x\.mid: .*; export it again") as caught:
        parse_midi_labels(data, where="x.mid")
    assert caught.value.reason == "malformed"
