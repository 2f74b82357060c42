"""Which work a recording plays, according to its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def work_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The work of a row of `tables.RECORDINGS`: (composer, composition).

    Without both of them, the recording is a work of its own: (recording_id,).
    """
    if has_work(row):
        return (row["composer"], row["composition"])
    return (row["recording_id"],)


def has_work(row: Mapping[str, Any]) -> bool:
    """Whether the metadata name the work that a recording plays."""
    return bool(row.get("composer") and row.get("composition"))
