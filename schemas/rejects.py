"""What a run rejects, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pyarrow as pa

from schemas.tables import REJECTS

STAGES = ("list", "audio", "labels", "window", "metadata")
"""Where something is rejected. Without a position, the first three reject a whole recording."""


_LONGEST_MESSAGE = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reject:
    """One thing that was rejected.

    `stage` is one of `STAGES`, `reason` a code. `position` is the first frame of a window, or the
    row of a table, from 0; None for the whole. `message` is kept on one line of 500 characters.
    """

    recording_id: str
    stage: str
    reason: str
    position: int | None
    message: str

    def __post_init__(self) -> None:
        message = printable(self.message)
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 3] + "..."
        object.__setattr__(self, "message", message)


def printable(text: str) -> str:
    """`text` on one line: what cannot be printed is escaped as in a Python string."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def rejects_table(rejects: Iterable[Reject]) -> pa.Table:
    """A table of `tables.REJECTS`, sorted by recording, stage, position."""
    ordered = sorted(
        rejects,
        key=lambda each: (
            each.recording_id.encode(),
            each.stage,
            -1 if each.position is None else each.position,
            each.reason,
            each.message,
        ),
    )
    return pa.Table.from_pylist([vars(reject) for reject in ordered], REJECTS)
