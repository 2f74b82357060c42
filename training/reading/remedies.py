"""What a message advises about files of a dataset that are missing, unreadable or damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from schemas import Storage
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


def remedy_for(storage: Storage, shards: Iterable[str]) -> str:
    """What to do about shards of damaged windows: one may be missing or unreadable as a whole.

    Raises `StoreError` where a store fails.
    """
    for shard in shards:
        try:
            with contextlib.closing(storage.open_ranges(shard)) as file:
                file.read(0, 1)
        except UnreadableFileError as error:
            return remedy_of(error)
    return MAKE_AGAIN
