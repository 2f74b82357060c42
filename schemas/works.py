"""Which work a recording plays, according to its metadata."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any


def work_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The work that a recording plays: composer and composition, or itself without metadata.

    Spaces around them and the Unicode form do not count.
    """
    work = (_text(row, "composer"), _text(row, "composition"))
    return work if all(work) else (row["recording_id"],)


def has_work(row: Mapping[str, Any]) -> bool:
    """Whether the metadata tell which work a recording plays."""
    return bool(_text(row, "composer") and _text(row, "composition"))


def _text(row: Mapping[str, Any], column: str) -> str:
    return unicodedata.normalize("NFC", row.get(column) or "").strip()
