"""Notes on the frames of a recording, as `notes`, `onsets` and `instruments` hold them.

Times of notes are samples at 44,100 Hz. Frame k is centered at k * hop_length / sample_rate
seconds. All comparisons are made in whole numbers, so that no rounding decides where a note is.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.features import LABEL_RATE, N_PITCHES, N_PROGRAMS, FeatureConfig

NOTE_COLUMNS = ("start_time", "end_time", "note", "instrument")
"""Of `tables.LABELS`, what frames of notes are made of."""

_LONGEST = 1 << 40
"""Label samples, nine months: what lies beyond is as good as there, and cannot overflow."""


@dataclasses.dataclass(frozen=True, eq=False)
class NoteFrames:
    """The notes of a recording on its frames: int64 [n], one entry a note of a valid pitch.

    A note sounds in the frames start..stop-1, at least one: a note that covers no frame's center
    is kept in the first frame whose center does not lie before it. Its `program` is one of General
    MIDI from 1 to 128, or 0 where none is known.
    """

    pitch: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    program: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return self.pitch.nbytes + self.start.nbytes + self.stop.nbytes + self.program.nbytes

    @classmethod
    def from_labels(cls, table: pa.Table, config: FeatureConfig) -> NoteFrames:
        """`table` has at least the columns `NOTE_COLUMNS` of `tables.LABELS`."""
        return cls.of(*(table[name].to_numpy() for name in NOTE_COLUMNS), config=config)

    @classmethod
    def of(
        cls,
        start_time: NDArray[np.int64],
        end_time: NDArray[np.int64],
        pitch: NDArray[np.integer],
        program: NDArray[np.integer],
        *,
        config: FeatureConfig,
    ) -> NoteFrames:
        """Times are samples at 44,100 Hz, pitches MIDI note numbers: arrays [n]."""
        start, stop = (first_frames(each, config) for each in (start_time, end_time))
        valid = (pitch >= 0) & (pitch < N_PITCHES)
        known = np.where((program >= 1) & (program <= N_PROGRAMS), program, 0)
        kept = (pitch.astype(np.int64), start, np.maximum(stop, start + 1), known.astype(np.int64))
        return cls(*(each[valid] for each in kept))

    def piano_rolls(
        self, first_frame: int, frames: int, valid_frames: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """`notes` and `onsets` of a window, uint8 [frames, 128], 1 where a note sounds or starts.

        Frames from `valid_frames` on, which lie beyond the recording's end, are 0.
        """
        notes = np.zeros((frames, N_PITCHES), np.uint8)
        onsets = np.zeros((frames, N_PITCHES), np.uint8)
        start, stop = self.start - first_frame, self.stop - first_frame
        heard = (stop > 0) & (start < valid_frames)
        each = zip(*(array[heard].tolist() for array in (self.pitch, start, stop)), strict=True)
        for pitch, begin, end in each:
            notes[max(0, begin) : min(end, valid_frames), pitch] = 1
            if begin >= 0:
                onsets[begin, pitch] = 1
        return notes, onsets

    def instruments(self, first_frame: int, frames: int, valid_frames: int) -> NDArray[np.uint8]:
        """`instruments` of a window, uint8 [frames, 128]: programs, and 0 where no note sounds.

        Where several notes of a pitch sound, the one that started last counts; if they started
        together, that of the greatest program.
        """
        rolls = np.zeros((frames, N_PITCHES), np.uint8)
        start, stop = self.start - first_frame, self.stop - first_frame
        heard = np.flatnonzero((stop > 0) & (start < valid_frames))
        for note in heard[np.lexsort((self.program[heard], start[heard]))].tolist():
            frames_of_note = slice(max(0, start[note]), min(stop[note], valid_frames))
            rolls[frames_of_note, self.pitch[note]] = self.program[note]
        return rolls


def first_frames(times: NDArray[np.int64], config: FeatureConfig) -> NDArray[np.int64]:
    """The first frame whose center is no earlier than each time; never before frame 0.

    `times` are samples at 44,100 Hz, int64 [n].
    """
    limited = np.clip(times, -_LONGEST, _LONGEST)
    return np.maximum(0, -(-limited * config.sample_rate // (LABEL_RATE * config.hop_length)))
