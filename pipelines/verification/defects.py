"""What `verify` finds: a defect of a file, and the windows that it concerns."""

from __future__ import annotations

import dataclasses

from schemas.rejects import printable

_SHOWN_WINDOWS = 3

Windows = tuple[tuple[str, int], ...]
"""Windows by recording_id and first frame."""


@dataclasses.dataclass(frozen=True)
class Defect:
    """Something that is wrong with one file of a dataset.

    `windows` are those that can no longer be relied on, in the order of the file; None says that
    it is every window of the dataset.
    """

    file: str
    problem: str
    windows: Windows | None

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; concerns {_windows_text(self.windows)}"


def _windows_text(windows: Windows | None) -> str:
    if windows is None:
        return "every window"
    if not windows:
        return "no window"
    shown = [
        f"{printable(recording_id)} at {frame}" for recording_id, frame in windows[:_SHOWN_WINDOWS]
    ]
    more = ", ..." if len(windows) > _SHOWN_WINDOWS else ""
    count = "1 window" if len(windows) == 1 else f"{len(windows):,} windows"
    return f"{count}: {', '.join(shown)}{more}"
