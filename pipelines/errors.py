"""The error of the pipelines."""


class PipelineError(ValueError):
    """Input, output or options cannot be worked with.

    The message says what was wrong, where (file, recording, position) and what to do about it.
    """
