"""Text for people: tables, and what others' messages are cut down to."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.rejects import printable

_LONGEST_DETAIL = 80


def short_detail(cause: object) -> str:
    """What a library says of an error, as a detail beside our own words: one short line."""
    text = printable(str(cause).strip().partition("\n")[0].rstrip(" ."))
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 3]}..."


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Text columns: the first to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
