"""The Arrow schemas of a dataset's tables, and how a table becomes the bytes of a Parquet file."""

from __future__ import annotations

import io
import urllib.parse
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import DamagedDataError
from schemas.features import FeatureSpec

RECORDINGS_FILE = "recordings.parquet"
REJECTS_FILE = "rejects.parquet"
INPUTS_FILE = "inputs.parquet"

RECORDINGS = pa.schema(
    [
        ("recording_id", pa.string()),
        ("split", pa.string()),  # train, validation, test; null where the recording was rejected
        ("status", pa.string()),  # ok; partial: some windows, or all, were rejected; rejected
        ("path", pa.string()),  # of the audio, relative to the input folder
        ("samples", pa.int64()),  # at the file's own rate, as the next ones
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("frames", pa.int64()),  # STFT columns of the whole recording
        ("windows", pa.int64()),  # planned; rejected ones included
        ("dropped_samples", pa.int64()),  # at the feature rate, as the next ones
        ("clipped_samples", pa.int64()),
        ("notes", pa.int64()),  # rows in its label file
        ("degenerate_notes", pa.int64()),  # of these, with end <= start
        ("composer", pa.string()),
        ("composition", pa.string()),
        ("movement", pa.string()),
        ("ensemble", pa.string()),
        ("source", pa.string()),
        ("transcriber", pa.string()),
        ("catalog_name", pa.string()),
        ("license", pa.string()),
    ]
)
"""A row per recording, sorted by id. Text columns from `composer` on are the metadata's."""

_LABELS_FOLDER = "labels/"
_LABELS_ENDING = ".parquet"
_NOT_IN_FILE_NAMES = frozenset('/\\%:*?"<>|[]#\x7f')
"""Beside control codes: letters that mean something to a file system, a shell or a URL."""

METADATA_COLUMNS = RECORDINGS.names[RECORDINGS.get_field_index("composer") :]

LABELS = pa.schema(
    [
        ("start_time", pa.int64()),  # samples at 44,100 Hz, as end_time
        ("end_time", pa.int64()),
        ("instrument", pa.int32()),  # General MIDI program, counted from 1
        ("note", pa.int32()),  # MIDI note number
        ("start_beat", pa.float64()),
        ("end_beat", pa.float64()),  # a duration, in beats
        ("note_value", pa.string()),
    ]
)
"""A row per note, in the order of the label file."""

REJECTS = pa.schema(
    [
        ("recording_id", pa.string()),
        ("stage", pa.string()),  # list, audio, labels, metadata, window
        ("reason", pa.string()),
        ("position", pa.int64()),  # first frame of a window, row of a table; null for the whole
        ("message", pa.string()),
    ]
)
"""A row per reject."""

INPUTS = pa.schema(
    [
        ("path", pa.string()),  # relative to the input folder
        ("nbytes", pa.int64()),
        ("xxh3_128", pa.string()),
    ]
)
"""A row per file that a dataset was made of, sorted by path: audio, labels and metadata.

An audio file that could not be read to its end has none.
"""


def index_schema(specs: Mapping[str, FeatureSpec]) -> pa.Schema:
    """The columns of an index: a row per window of one shard file, in file order.

    For each feature, its offset in the file and its length in bytes, and its crc32c.
    """
    columns = [
        ("recording_id", pa.string()),
        ("first_frame", pa.int64()),
        ("valid_frames", pa.int32()),
    ]
    for name in specs:
        columns += [
            (f"{name}_offset", pa.int64()),
            (f"{name}_length", pa.int64()),
            (f"{name}_crc32c", pa.uint32()),
        ]
    return pa.schema(columns)


def labels_file(recording_id: str) -> str:
    """The name of a recording's label table: its id, percent-encoded where that is needed."""
    name = "".join(
        urllib.parse.quote(letter, safe="")
        if ord(letter) < 32 or letter in _NOT_IN_FILE_NAMES
        else letter
        for letter in recording_id
    )
    return f"{_LABELS_FOLDER}{name}{_LABELS_ENDING}"


def labeled_recording(name: str) -> str | None:
    """The id of the recording whose label table has this name; None for any other file."""
    if not name.startswith(_LABELS_FOLDER):
        return None
    return urllib.parse.unquote(name.removeprefix(_LABELS_FOLDER).removesuffix(_LABELS_ENDING))


def table_bytes(table: pa.Table) -> bytes:
    """A Parquet file. The same table gives the same bytes with the same version of pyarrow."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def table_from_bytes(
    data: bytes, schema: pa.Schema, *, where: str, columns: Sequence[str] | None = None
) -> pa.Table:
    """A table of `schema`, or some columns of it, from the bytes that `table_bytes` made.

    Raises `DamagedDataError`, naming `where`, for bytes of anything else.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        found = file.schema_arrow
        # Tables are small: a pool of threads would cost more than it saves.
        table = file.read(columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        detail = str(error).partition("\n")[0]
        raise DamagedDataError(f"{where}: not a readable Parquet file: {detail!r}") from None
    if not found.equals(schema):
        raise DamagedDataError(f"{where}: its columns are not those of this format: {found.names}")
    return table
