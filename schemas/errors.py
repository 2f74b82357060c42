"""The errors of the dataset contract."""


class DatasetError(ValueError):
    """Something about a dataset, its configuration or its files is wrong.

    The message says what was wrong, where (file, window, position) and what to do about it.
    """


class DamagedDataError(DatasetError):
    """Bytes on disk differ from the checksum that was written beside them."""


class UnreadableFileError(DatasetError):
    """A file cannot be read; `reason`: missing, no_permission, is_folder or unreadable."""

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason
