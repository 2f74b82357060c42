"""Why a label file is not a table of MusicNet's form, in our own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from pipelines.recordings.csv_tables import open_csv
from pipelines.text import short_detail
from schemas.errors import UnreadableFileError
from schemas.tables import LABELS

REQUIRED = ("start_time", "end_time", "instrument", "note")
"""The columns in which no value may be missing."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,40}")
_NUMBER = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.I
)


def label_fault(data: bytes) -> str:
    """What is wrong with a label file that a reader has rejected: the first thing found."""
    try:
        table = open_csv(data, where="")
        return _column_fault(table.columns) or next(
            (
                f"data row {position} {fault}"
                for position, (_, fields) in enumerate(table.rows)
                if (fault := _row_fault(table.columns, fields))
            ),
            "is not CSV as MusicNet writes it; write it again",
        )
    except UnreadableFileError as error:
        return error.cause


def _column_fault(columns: Sequence[str]) -> str | None:
    if not columns:
        return "holds no row of column names; copy it again"
    missing = [name for name in LABELS.names if name not in columns]
    if missing:
        return f"has no column named {' or '.join(missing)}; add it"
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        return f"has several columns named {short_detail(repeated[0])}; keep one"
    return None


def _row_fault(columns: Sequence[str], fields: Sequence[str]) -> str | None:
    if len(fields) != len(columns):
        return f"has {len(fields)} fields instead of {len(columns)}; correct it"
    row = dict(zip(columns, fields, strict=True))
    for field in LABELS:
        text = row[field.name].strip()
        if not text and field.name in REQUIRED:
            return f"gives no {field.name}; fill it in"
        if text and not _holds(field.type, text):
            return f"gives {short_detail(repr(text))} as {field.name}, {_wanted(field.type)}"
    return None


def _holds(kind: pa.DataType, text: str) -> bool:
    """Whether a value of a column's type can be read from `text`."""
    if pa.types.is_string(kind):
        return True
    if pa.types.is_integer(kind):
        limit = 1 << (kind.bit_width - 1)
        return _WHOLE_NUMBER.fullmatch(text) is not None and -limit <= int(text) < limit
    return _NUMBER.fullmatch(text) is not None


def _wanted(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return f"not a whole number of {kind.bit_width} bits; correct it"
    return "not a number; correct it"
