"""Labels in the form of MIDI files, such as those of MusicNet-EM and MAESTRO."""

from __future__ import annotations

import pyarrow as pa

from musicnet_duet.midi import MidiError, played_notes
from pipelines.errors import RejectedInputError
from schemas.features import LABEL_RATE
from schemas.tables import LABELS

MIDI_SUFFIXES = (".mid", ".midi")


def parse_midi_labels(data: bytes, *, where: str) -> pa.Table:
    """The notes of a MIDI file as `tables.LABELS`, in the order of their starts, then pitches.

    Times are rounded to samples at 44,100 Hz. `note_value` is empty: MIDI has no note values.
    Raises `RejectedInputError` where the file cannot be read.
    """
    try:
        notes = played_notes(data)
    except MidiError as error:
        message = f"cannot be read as a standard MIDI file ({error}); export it again"
        raise RejectedInputError.of(where, "malformed", message) from None
    ordered = sorted(notes, key=lambda each: (each.start, each.pitch, each.end, each.program))
    rows = [
        {
            "start_time": round(each.start * LABEL_RATE),
            "end_time": round(each.end * LABEL_RATE),
            "instrument": each.program + 1,
            "note": each.pitch,
            "start_beat": each.start_beat,
            "end_beat": each.end_beat - each.start_beat,
            "note_value": "",
        }
        for each in ordered
    ]
    return pa.Table.from_pylist(rows, LABELS)
