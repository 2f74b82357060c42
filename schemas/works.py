"""Which work a recording plays, as far as the metadata say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def work_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The work that a recording plays: composer and composition, or itself without metadata."""
    if has_work(row):
        return (row["composer"], row["composition"])
    return (row["recording_id"],)


def has_work(row: Mapping[str, Any]) -> bool:
    """Whether the metadata tell which work a recording plays."""
    return bool(row.get("composer") and row.get("composition"))
