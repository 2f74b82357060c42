from typing import Any

import pyarrow as pa
import pytest

from pipelines.errors import PipelineError
from pipelines.recordings.labels import degenerate_count, odd_notes, parse_labels
from schemas import FeatureConfig
from schemas.tables import LABELS

HEADER = b"start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
CONFIG = FeatureConfig(hop_length=256)


def table(notes: list[tuple[int, int, int]]) -> pa.Table:
    rows = [
        {"start_time": start, "end_time": end, "note": note, "instrument": 1, "note_value": ""}
        for start, end, note in notes
    ]
    return pa.Table.from_pylist(rows, LABELS)


def test_musicnets_own_rows_are_read() -> None:
    rows = b"9182,90078,43,53,4.0,1.5,Dotted Quarter\n9182,33758,42,65,4.0,0.5,Eighth\n"
    found = parse_labels(HEADER + rows, where="x")[0].to_pylist()
    assert found[0] == {
        "start_time": 9182,
        "end_time": 90078,
        "instrument": 43,
        "note": 53,
        "start_beat": 4.0,
        "end_beat": 1.5,
        "note_value": "Dotted Quarter",
    }
    assert len(found) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"start,end\n1,2\n",
        HEADER + b"1,2,3\n",
        HEADER[:-1] + b",\xff\n1,2,1,60,0,1,Quarter,5\n",
        HEADER[:-1] + b",note\n1,2,1,60,0,1,Quarter,61\n",
        HEADER + b"one,2,1,60,0,1,Quarter\n",
        HEADER + b",2,1,60,0,1,Quarter\n",
        HEADER + b"1,2,1,,0,1,Quarter\n",
    ],
)
def test_other_tables_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(PipelineError, match=r"1727\.csv: "):
        parse_labels(data, where="1727.csv")


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (b"one,2,1,60,0,1,x\n", "data row 0 gives 'one' as start_time, not a whole number of 64 "),
        (b"1,2,1,60,0,1,x\n1,2,1,9999999999,0,1,x\n", "data row 1 gives '9999999999' as note, not "
         "a whole number of 32 bits; correct it"),
        (b"1,2,1,60,0,x,x\n", "data row 0 gives 'x' as end_beat, not a number"),
        (b"1,2,1,60\n", "data row 0 has 4 fields instead of 7"),
        (b"1,2,1,,0,1,x\n", "data row 0 gives no note; fill it in"),
        (b"1,2,1,60,0,1,\xff\n", "is not UTF-8 text from byte 80 on; save it as UTF-8"),
        (b"1,2,1,60,0,1," + b"9" * 3_000_000, "line 2 is not a row of a CSV table"),
        (b"1,2,1," + b"9" * 9_999 + b",0,1,x\n", "data row 0 gives '99999"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_labels_is_said_in_our_words(rows: bytes, fault: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_labels(HEADER + rows, where="x")
    message = str(caught.value)
    assert message.startswith(f"x: {fault}")
    assert len(message) < 200


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b"", "holds no row of column names; copy it again"),
        (HEADER.replace(b"end_time", b"stop"), "has no column named end_time; add it"),
        (HEADER.replace(b"\n", b",note\n"), "has several columns named note; keep one"),
    ],
)
def test_what_is_wrong_with_columns_is_said_in_our_words(header: bytes, fault: str) -> None:
    with pytest.raises(PipelineError, match=f"^x: {fault}$"):
        parse_labels(header, where="x")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_columns_of_other_names_are_named(line_end: bytes) -> None:
    data = b'\xef\xbb\xbf"velocity",' + HEADER + b"99,1,2,1,60,0,1,Quarter\n"
    data = data.replace(b"\n", line_end)
    table, unknown = parse_labels(data, where="x")
    assert (table.column_names, unknown) == (LABELS.names, ["velocity"])
    long = b"x" * 200_000
    assert parse_labels(HEADER[:-1] + b"," + long + b"\n", where="x")[1] == [long.decode()]


def test_degenerate_notes_are_counted() -> None:
    assert degenerate_count(table([(5, 5, 60), (9, 3, 61), (0, 9, 128)])) == 2


FAR = 1 << 62


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(0, 9, 0), (0, 9, 127), (0, 9, 60)], []),
        ([(0, 9, 0), (-1, 9, 60), (-FAR, 9, 60)], [("note_before_start", 1)]),
        ([(0, 9, 5), (0, 9, 128), (0, 9, -1)], [("note_out_of_range", 1)]),
        ([(FAR, FAR, 5)], [("note_past_end", 0)]),
        ([(0, FAR, 5)], [("note_end_past_end", 0)]),
        # Frame 9, the last of ten, is centered at label sample 4,608.
        ([(4_608, 4_608, 5)], []),
        ([(0, 4_609, 5)], []),
        ([(4_609, 4_610, 5)], [("note_past_end", 0)]),
        ([(0, 5_121, 5)], [("note_end_past_end", 0)]),
    ],
)
def test_what_is_wrong_with_notes_is_named(notes: list[Any], expected: list[Any]) -> None:
    found = odd_notes(table(notes), CONFIG, frames=10)
    assert [(reason, position) for reason, _, position in found] == expected


def test_a_label_file_without_rows_is_a_table_without_notes() -> None:
    empty, unknown = parse_labels(HEADER, where="x")
    assert unknown == []
    assert degenerate_count(empty) == 0
    assert odd_notes(empty, CONFIG, frames=10) == []
