"""What a run rejects or notices, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from schemas.reject_reasons import REASONS, RejectReason, RejectStage
from schemas.tables import REJECTS

__all__ = [
    "OtherReason",
    "Reason",
    "Reject",
    "RejectReason",
    "RejectStage",
    "printable",
    "reason_of",
    "rejects_table",
]


class OtherReason(str):
    """The code of a reject that another version wrote; this one reads it and never makes it."""

    is_notice = False


Reason = RejectReason | OtherReason

_LONGEST_MESSAGE = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reject:
    """One thing that was rejected or noticed.

    `position` is the first frame of a window, or the row of a table, from 0; None for the whole.
    `message` is kept on one line of 500 characters.
    """

    recording_id: str
    stage: RejectStage
    reason: Reason
    position: int | None = None
    message: str

    def __post_init__(self) -> None:
        if not isinstance(self.reason, Reason):
            raise TypeError(f"reason={self.reason!r} must be one of RejectReason")
        message = printable(self.message)
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 3] + "..."
        object.__setattr__(self, "message", message)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reject:
        """Reads what `dataclasses.asdict` made, with any code.

        Raises `KeyError`, `TypeError` or `ValueError` for anything else.
        """
        known = {"reason": reason_of(values["reason"]), "stage": RejectStage(values["stage"])}
        return cls(**{**values, **known})


def reason_of(code: str) -> Reason:
    """The reason of a code that was read."""
    return REASONS.get(code) or OtherReason(code)


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
