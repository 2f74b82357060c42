"""MusicNet's note labels: reading them, and what is odd about them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pipelines.errors import RejectedInputError
from pipelines.recordings.label_faults import REQUIRED, label_fault
from schemas import FeatureConfig
from schemas.features import N_PITCHES
from schemas.notes import first_frames
from schemas.rejects import RejectReason
from schemas.tables import LABELS

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
    start, stop = (
        first_frames(table[name].to_numpy(), config) for name in ("start_time", "end_time")
    )
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
