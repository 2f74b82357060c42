"""The errors of the pipelines."""

from __future__ import annotations

from schemas.errors import DuetError, UnreadableFileError


class PipelineError(DuetError):
    """Input, output or options cannot be used.

    The message says what was wrong, where (file, recording, position) and what to do about it.

    Examples:
        >>> from pipelines import PipelineError, PlanOptions
        >>> from schemas import PRESETS
        >>> try:
        ...     PlanOptions(features=PRESETS["librosa"], max_rejects=2)
        ... except PipelineError as error:
        ...     print("rejected")
        rejected
    """


class TooManyRejectsError(PipelineError):
    """More recordings were rejected than is allowed."""


class RejectedInputError(UnreadableFileError, PipelineError):
    """A file of a recording can be read and cannot be used; `reason` is a word for why."""
