"""Notes as standard MIDI files, written and read with mido."""

from __future__ import annotations

import dataclasses
import io
from collections import defaultdict
from collections.abc import Iterable

import mido

from musicnet_duet.midi import MidiError, played_notes
from schemas.features import N_PITCHES
from training.errors import TrainingError
from training.validation import real_number, whole_number

TICKS_PER_SECOND = 1_000
"""Of the files that are written: a tick is a millisecond."""

MAX_SECONDS = (2**28 - 1) / TICKS_PER_SECOND
"""74 hours: MIDI holds the ticks between two events in 28 bits."""

_TICKS_PER_BEAT = 500
_MICROSECONDS_PER_BEAT = 500_000
_VELOCITY = 64


@dataclasses.dataclass(frozen=True, order=True)
class Note:
    """A note of MIDI number `pitch`, 0 to 127, from `start` to `end`, in seconds.

    Raises `TrainingError` when a value is impossible, or the note does not end after its start.

    Examples:
        >>> Note(0.5, 1.0, pitch=69)
        Note(start=0.5, end=1.0, pitch=69)
    """

    start: float
    end: float
    pitch: int

    def __post_init__(self) -> None:
        start = real_number("start", self.start, 0, MAX_SECONDS)
        end = real_number("end", self.end, 0, MAX_SECONDS)
        pitch = whole_number("pitch", self.pitch, 0, N_PITCHES - 1)
        if end <= start:
            raise TrainingError(f"end={end} must be later than start={start}")
        for name, value in (("start", start), ("end", end), ("pitch", pitch)):
            object.__setattr__(self, name, value)


def write_midi(notes: Iterable[Note]) -> bytes:
    """A MIDI file of one track: the same bytes for the same notes, in whatever order.

    Times are rounded to a millisecond, and a note lasts at least one. A key that is down cannot be
    pressed again, so a note ends where another one of its pitch starts. Of notes of one pitch that
    start in the same millisecond, the longest counts.

    Examples:
        >>> read_midi(write_midi([Note(0.5, 1.0, 69), Note(0.0, 0.25, 60)]))
        [Note(start=0.0, end=0.25, pitch=60), Note(start=0.5, end=1.0, pitch=69)]
    """
    ends_of: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for note in notes:
        start = round(note.start * TICKS_PER_SECOND)
        end = max(start + 1, round(note.end * TICKS_PER_SECOND))
        ends_of[note.pitch][start] = max(end, ends_of[note.pitch].get(start, 0))
    # Keys are released before others are pressed in the same tick.
    events: list[tuple[int, bool, int]] = []
    for pitch, ends in ends_of.items():
        starts = sorted(ends)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            end = ends[start] if following is None else min(ends[start], following)
            events += [(start, True, pitch), (end, False, pitch)]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=_MICROSECONDS_PER_BEAT)])
    now = 0
    for tick, is_start, pitch in sorted(events):
        kind = "note_on" if is_start else "note_off"
        velocity = _VELOCITY if is_start else 0
        track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_BEAT, tracks=[track]).save(file=file)
    return file.getvalue()


def read_midi(data: bytes, *, where: str = "the MIDI file") -> list[Note]:
    """The notes of all tracks and channels of a MIDI file, in the order of their starts.

    Tempo changes are followed. Velocities, pedals and the percussion channel are ignored. A key
    that is pressed again while it is down sounds twice, and the first release ends the first note;
    what is never released ends with the file, and notes without length are left out. `where` names
    the file for the `TrainingError` that is raised where it cannot be read.
    """
    try:
        return sorted(Note(each.start, each.end, each.pitch) for each in played_notes(data))
    except (MidiError, TrainingError) as error:
        raise TrainingError(
            f"{where}: cannot be read as a standard MIDI file ({error}); choose another file, or "
            "export it again from a notation or audio program"
        ) from error
