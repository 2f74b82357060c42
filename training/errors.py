"""The error of the training package."""

from schemas.errors import DuetError


class TrainingError(DuetError):
    """Something that was asked of training, or that it was given, is wrong.

    The message says what was wrong, where (file, window, option) and what to do about it.
    """
