"""CSV files: their rows, and in our own words why they cannot be read."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator

from pipelines.errors import RejectedInputError


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """A CSV table: its columns, and the fields of each row with the number of its last line.

    Rows are read as they are taken, which raises `RejectedInputError` where one is not CSV.
    """

    columns: list[str]
    rows: Iterator[tuple[int, list[str]]]


def open_csv(data: bytes, *, where: str) -> CsvTable:
    """A table in UTF-8; blank lines are left out.

    Raises `RejectedInputError` where the bytes are not one.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cause = f"is not UTF-8 text from byte {error.start} on; save it as UTF-8"
        raise RejectedInputError.of(where, "malformed", cause) from None
    rows = _rows(text, where)
    return CsvTable(next(rows, (0, []))[1], rows)


def _rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        yield from ((rows.line_num, row) for row in rows if row)
    except csv.Error:
        cause = f"line {rows.line_num} is not a row of a CSV table; correct it"
        raise RejectedInputError.of(where, "malformed", cause) from None
