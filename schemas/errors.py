"""The root of all errors whose message is for the user, and those of the dataset contract."""

from __future__ import annotations

from typing import Self


class DuetError(Exception):
    """The root of every error that the project raises on purpose.

    Its message is for the user: what was wrong, where, and what to do about it. Any other exception
    that leaves a command is a bug in the project.

    Examples:
        >>> from schemas import Dataset, DuetError
        >>> try:
        ...     Dataset("nowhere")
        ... except DuetError as error:
        ...     print(type(error).__name__)
        DatasetError
    """


class DatasetError(DuetError):
    """Something about a dataset, its configuration or its files is wrong.

    The message says what was wrong, where (file, window, position) and what to do about it.

    Examples:
        >>> from schemas import FeatureConfig
        >>> FeatureConfig(hop_length=-1)
        Traceback (most recent call last):
        schemas.errors.DatasetError: hop_length=-1 must be a positive integer
    """


class StoreError(DuetError):
    """A store, or a shared disk, cannot be reached, denies the credentials or keeps failing.

    That says nothing about the file that was requested, so this is not a `DatasetError`: no file is
    rejected or called damaged because of it.

    Examples:
        >>> from schemas import DatasetError, DuetError, StoreError
        >>> issubclass(StoreError, DuetError), issubclass(StoreError, DatasetError)
        (True, False)
    """


class DamagedDataError(DatasetError):
    """Bytes on disk differ from the checksum that was written with them.

    Examples:
        >>> from schemas import DamagedDataError, Manifest
        >>> try:
        ...     Manifest.from_bytes(b"{}", where="dataset.json")
        ... except DamagedDataError as error:
        ...     print(error)
        dataset.json: not the manifest of a dataset
    """


def system_cause(error: OSError) -> str:
    """What the system says of an error, as the end of a sentence."""
    cause = error.strerror or str(error) or type(error).__name__
    return f"{cause[0].lower()}{cause[1:]}"


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
