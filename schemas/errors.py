"""The root of all errors whose message is for the user, and those of the dataset contract."""

from __future__ import annotations

from typing import Self


class DuetError(Exception):
    """The root of every error that the project raises on purpose.

    Its message is for the user: what was wrong, where, and what to do about it. Any other exception
    that leaves a command is a fault of the project.
    """


class DatasetError(DuetError):
    """Something about a dataset, its configuration or its files is wrong.

    The message says what was wrong, where (file, window, position) and what to do about it.
    """


class StoreError(DuetError):
    """A store, or a shared disk, cannot be reached, denies the credentials or keeps failing.

    That says nothing about the file that was requested, so this is not a `DatasetError`: no file is
    rejected or called damaged because of it.
    """


class DamagedDataError(DatasetError):
    """Bytes on disk differ from the checksum that was written beside them."""


class UnreadableFileError(DatasetError):
    """A file cannot be read.

    `reason` is a word for why: missing, no_permission, is_folder, not_a_file or unreadable;
    `cause` says it without the path.
    """

    def __init__(self, message: str, reason: str, cause: str) -> None:
        super().__init__(message, reason, cause)
        self.reason, self.cause = reason, cause

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def of(cls, path: str, reason: str, cause: str) -> Self:
        """The error of a file whose path the message names."""
        return cls(f"{path}: {cause}", reason, cause)
