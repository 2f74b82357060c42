"""MusicNet's note labels: reading them, and drawing them on the frames of a window.

A label's times are samples at 44,100 Hz. Frame k is centered at k * hop_length / sample_rate
seconds. All comparisons are made in whole numbers, so that no rounding decides where a note is.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from pipelines.errors import RejectedInputError
from pipelines.recordings.label_faults import REQUIRED, label_fault
from schemas import FeatureConfig
from schemas.features import LABEL_RATE, N_PITCHES
from schemas.rejects import RejectReason
from schemas.tables import LABELS

NOTE_COLUMNS = ("start_time", "end_time", "note")
"""Of `tables.LABELS`, what frames of notes are made of."""

_READING = pyarrow.csv.ReadOptions(use_threads=False)


def parse_labels(data: bytes, *, where: str) -> tuple[pa.Table, list[str]]:
    """The rows of a label CSV, in their order, as `tables.LABELS`.

    Also the names of columns that are not MusicNet's, which are left out. Raises
    `RejectedInputError` where one of MusicNet's is missing or a value has the wrong type.
    """
    options = pyarrow.csv.ConvertOptions(column_types=LABELS, strings_can_be_null=False)
    try:
        every = pyarrow.csv.read_csv(
            pa.BufferReader(data), read_options=_READING, convert_options=options
        )
        names = every.column_names
        table = every.select(LABELS.names)
    except (pa.ArrowException, KeyError, UnicodeDecodeError):
        raise RejectedInputError.of(where, "malformed", label_fault(data)) from None
    if any(table[name].null_count for name in REQUIRED):
        raise RejectedInputError.of(where, "malformed", label_fault(data))
    return table, [name for name in names if name not in LABELS.names]


def odd_notes(
    table: pa.Table, config: FeatureConfig, frames: int
) -> list[tuple[RejectReason, str, int]]:
    """What is wrong with notes of a recording of `frames` frames.

    A reason, a message and the first data row concerned, from 0, for each kind.
    """
    note = table["note"].to_numpy()
    start, stop = _frames_of(table, config)
    early = table["start_time"].to_numpy() < 0
    unheard = start >= frames
    out_of_range = (note < 0) | (note >= N_PITCHES)
    past_end = "starts past the last frame, so that no window holds it"
    kinds = [
        (RejectReason.NOTE_BEFORE_START, early, "starts before the recording"),
        (RejectReason.NOTE_OUT_OF_RANGE, out_of_range, "is not a MIDI note number"),
        (RejectReason.NOTE_PAST_END, unheard, past_end),
        (
            RejectReason.NOTE_END_PAST_END,
            ~unheard & (stop > frames),
            "is cut at the recording's end",
        ),
    ]
    found = []
    for reason, rows, message in kinds:
        if rows.any():
            first, count = int(np.argmax(rows)), int(np.count_nonzero(rows))
            more = f", the first of {count} that" if count > 1 else ""
            found.append((reason, f"data row {first}{more}: {message}", first))
    return found


def degenerate_count(table: pa.Table) -> int:
    """Rows that end no later than they start."""
    return int(np.count_nonzero(table["end_time"].to_numpy() <= table["start_time"].to_numpy()))


@dataclasses.dataclass(frozen=True, eq=False)
class NoteFrames:
    """The notes of a recording on its frames: int64 [n], one entry a note of a valid pitch.

    A note sounds in the frames start..stop-1, at least one: a note that covers no frame's center
    is kept in the first frame whose center does not lie before it.
    """

    pitch: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return self.pitch.nbytes + self.start.nbytes + self.stop.nbytes

    @classmethod
    def from_labels(cls, table: pa.Table, config: FeatureConfig) -> NoteFrames:
        pitch = table["note"].to_numpy().astype(np.int64)
        valid = (pitch >= 0) & (pitch < N_PITCHES)
        start, stop = _frames_of(table, config)
        return cls(pitch[valid], start[valid], np.maximum(stop, start + 1)[valid])

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


def _frames_of(
    table: pa.Table, config: FeatureConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first frames whose centers are no earlier than each note's start, and its end.

    Never before frame 0.
    """

    def first_frame(column: str) -> NDArray[np.int64]:
        times = np.clip(table[column].to_numpy(), -_LONGEST, _LONGEST)
        return np.maximum(0, -(-times * config.sample_rate // (LABEL_RATE * config.hop_length)))

    return first_frame("start_time"), first_frame("end_time")


_LONGEST = 1 << 40
"""Label samples, nine months: what lies beyond is as good as there, and cannot overflow."""
