"""What a message advises about files of a dataset that are missing, unreadable or damaged."""

from __future__ import annotations

from schemas.errors import UnreadableFileError

MAKE_AGAIN = "make the dataset again"
_REMEDIES = {
    "missing": f"check that the folder is mounted, or {MAKE_AGAIN}",
    "no_permission": "get the permission to read it",
    "unreadable": f"check the disk, or {MAKE_AGAIN}",
}
"""By the reason for which a file cannot be read; about any other, `MAKE_AGAIN`."""


def remedy_of(error: UnreadableFileError) -> str:
    """What to do about a file that cannot be read."""
    return _REMEDIES.get(error.reason, MAKE_AGAIN)
