"""MusicNet's note labels: reading them, and drawing them on the frames of a window.

A label's times are samples at 44,100 Hz. Frame k is centred at k * hop_length / sample_rate
seconds. All comparisons are made in whole numbers, so that no rounding decides where a note is.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from pipelines.errors import PipelineError
from schemas import FeatureConfig
from schemas.features import LABEL_RATE, N_PITCHES
from schemas.tables import LABELS


def parse_labels(data: bytes, *, where: str) -> pa.Table:
    """The rows of a label CSV, in their order, as `tables.LABELS`.

    Raises `PipelineError` where the columns are not MusicNet's or a value has the wrong type.
    """
    options = pyarrow.csv.ConvertOptions(
        column_types=LABELS, include_columns=LABELS.names, strings_can_be_null=False
    )
    try:
        table = pyarrow.csv.read_csv(pa.BufferReader(data), convert_options=options)
    except (pa.ArrowException, KeyError) as error:
        raise PipelineError(f"{where}: not a label table of MusicNet's form: {error}") from None
    if any(column.null_count for column in table.columns[:4]):
        raise PipelineError(f"{where}: a row lacks its time, instrument or note")
    return table


def pitches_out_of_range(table: pa.Table) -> list[int]:
    """The numbers, from 0, of rows whose note is not a MIDI note number."""
    note = table["note"]
    return pc.indices_nonzero(
        pc.or_(pc.less(note, 0), pc.greater_equal(note, N_PITCHES))
    ).to_pylist()


def degenerate_count(table: pa.Table) -> int:
    """Rows that end no later than they start."""
    return pc.sum(pc.less_equal(table["end_time"], table["start_time"])).as_py() or 0


@dataclasses.dataclass(frozen=True, eq=False)
class NoteFrames:
    """The notes of a recording on its frames: int64 [n], one entry a note of a valid pitch.

    A note sounds in the frames start..stop-1, at least one: a note that covers no frame's centre
    is kept in the first frame whose centre does not lie before it.
    """

    pitch: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def from_labels(cls, table: pa.Table, config: FeatureConfig) -> NoteFrames:
        pitch = table["note"].to_numpy().astype(np.int64)
        valid = (pitch >= 0) & (pitch < N_PITCHES)
        start = _first_frame_from(table["start_time"].to_numpy()[valid], config)
        stop = _first_frame_from(table["end_time"].to_numpy()[valid], config)
        return cls(pitch[valid], start, np.maximum(stop, start + 1))

    def rolls(
        self, first_frame: int, frames: int, valid_frames: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """`notes` and `onsets` of a window, uint8 [frames, 128], 1 where a note sounds or starts.

        Frames from `valid_frames` on, which lie beyond the recording's end, are 0.
        """
        notes = np.zeros((frames, N_PITCHES), np.uint8)
        onsets = np.zeros((frames, N_PITCHES), np.uint8)
        start, stop = self.start - first_frame, self.stop - first_frame
        for i in np.flatnonzero((stop > 0) & (start < valid_frames)):
            notes[max(0, start[i]) : min(stop[i], valid_frames), self.pitch[i]] = 1
            if start[i] >= 0:
                onsets[start[i], self.pitch[i]] = 1
        return notes, onsets


def _first_frame_from(times: NDArray[np.int64], config: FeatureConfig) -> NDArray[np.int64]:
    """The first frame whose centre is no earlier than each time; never before frame 0."""
    return np.maximum(0, -(-times * config.sample_rate // (LABEL_RATE * config.hop_length)))
