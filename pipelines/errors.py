"""The errors of the pipelines."""

from __future__ import annotations

from typing import Self


class PipelineError(ValueError):
    """Input, output or options cannot be worked with.

    The message says what was wrong, where (file, recording, position) and what to do about it.
    """


class TooManyRejectsError(PipelineError):
    """More recordings were refused than is allowed."""


class RefusedInputError(PipelineError):
    """A file of a recording cannot be used.

    `reason` is a word for why, such as truncated; `cause` says it without the path.
    """

    def __init__(self, message: str, reason: str, cause: str) -> None:
        super().__init__(message, reason, cause)
        self.reason, self.cause = reason, cause

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def of(cls, path: str, reason: str, cause: str) -> Self:
        return cls(f"{path}: {cause}", reason, cause)
