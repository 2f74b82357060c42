"""The errors of the pipelines."""


class PipelineError(ValueError):
    """Input, output or options cannot be worked with.

    The message says what was wrong, where (file, recording, position) and what to do about it.
    """


class TooManyRejectsError(PipelineError):
    """More recordings were refused than is allowed."""


class RefusedInputError(PipelineError):
    """A file of a recording cannot be used; `reason` is a word for it, such as `truncated`."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
