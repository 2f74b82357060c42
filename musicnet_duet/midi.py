"""The notes of standard MIDI files, read with mido."""

from __future__ import annotations

import dataclasses
import io
from collections import defaultdict
from collections.abc import Iterator

import mido

_PERCUSSION_CHANNEL = 9
"""Channel 10, as musicians count: its numbers name instruments, not pitches."""

_MICROSECONDS_PER_BEAT = 500_000
"""Of a file that sets no tempo."""


class MidiError(ValueError):
    """A MIDI file that cannot be read; the message says why, as a part of a sentence."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayedNote:
    """A note of MIDI number `pitch`, 0 to 127, from `start` to `end`, in seconds.

    `start_beat` and `end_beat` are the same in quarter notes; `program` is the General MIDI program
    that plays it, from 0.
    """

    start: float
    end: float
    start_beat: float
    end_beat: float
    pitch: int
    program: int


@dataclasses.dataclass(frozen=True)
class _Moment:
    seconds: float
    beats: float


def played_notes(data: bytes) -> list[PlayedNote]:
    """The notes of all tracks and channels of a MIDI file, in the order of their ends.

    Tempo changes are followed. Velocities, pedals and the percussion channel are ignored. A key
    that is pressed again while it is down sounds twice, and the first release ends the first note;
    what is never released ends with the file, and notes without length are left out. Raises
    `MidiError`.
    """
    try:
        return list(_notes(mido.MidiFile(file=io.BytesIO(data))))
    except MidiError:
        raise
    except Exception as error:  # mido raises errors of many kinds, and some of Python's own.
        raise MidiError(" ".join(str(error).split()) or type(error).__name__) from error


def _notes(file: mido.MidiFile) -> Iterator[PlayedNote]:
    if file.ticks_per_beat <= 0:
        raise MidiError("its times are counted in frames of a film instead of beats")
    down: defaultdict[tuple[int, int], list[tuple[_Moment, int]]] = defaultdict(list)
    programs: defaultdict[int, int] = defaultdict(int)
    tempo, now = _MICROSECONDS_PER_BEAT, _Moment(0.0, 0.0)

    def release(pitch: int, pressed: list[tuple[_Moment, int]]) -> Iterator[PlayedNote]:
        start, program = pressed.pop(0)
        if start.seconds < now.seconds:
            yield PlayedNote(
                start=start.seconds,
                end=now.seconds,
                start_beat=start.beats,
                end_beat=now.beats,
                pitch=pitch,
                program=program,
            )

    for message in file:
        # mido gives the seconds since the message before, at the tempo of then.
        seconds = message.time
        now = _Moment(now.seconds + seconds, now.beats + seconds * 1e6 / tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "program_change":
            programs[message.channel] = message.program
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION_CHANNEL:
            continue
        pressed = down[message.channel, message.note]
        if message.type == "note_on" and message.velocity:
            pressed.append((now, programs[message.channel]))
        elif pressed:
            yield from release(message.note, pressed)
    for (_, pitch), pressed in down.items():
        while pressed:
            yield from release(pitch, pressed)
