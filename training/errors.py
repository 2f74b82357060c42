"""The error of the training package."""

from schemas.errors import DuetError


class TrainingError(DuetError):
    """An argument of a function of `training`, or a file that it reads or writes, is wrong.

    The message says what was wrong, where (file, window, option) and what to do about it.

    Examples:
        >>> from training import TrainingError, open_dataset
        >>> try:
        ...     open_dataset("dataset", batch_size=0)
        ... except TrainingError as error:
        ...     print(error)
        batch_size=0 must be an integer from 1 to 2147483648
    """
