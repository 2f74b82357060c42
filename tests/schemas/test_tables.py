import pytest

from schemas import DamagedDataError
from schemas.tables import INPUTS, table_bytes, table_from_bytes


def test_a_damaged_table_is_told_in_one_line_or_read() -> None:
    """pyarrow's messages hold line ends and control characters. Not every bit is under a check."""
    rows = [{"path": f"{number}.wav", "nbytes": number, "xxh3_128": "0"} for number in range(9)]
    data = table_bytes(INPUTS.empty_table().from_pylist(rows, INPUTS))
    told = set()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1
        try:
            table_from_bytes(bytes(damaged), INPUTS, where="x")
        except DamagedDataError as error:
            told.add(str(error))
    assert len(told) > 5
    assert all(text.startswith("x: ") and text.isprintable() for text in told)


def test_bytes_of_anything_else_are_told() -> None:
    with pytest.raises(DamagedDataError, match=r"^x: not a readable Parquet file: '.*'$"):
        table_from_bytes(b"PAR1", INPUTS, where="x")
