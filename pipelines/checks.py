"""Whether the numbers that somebody asks for are possible."""

from __future__ import annotations

from pipelines.errors import PipelineError


def require_integer(name: str, value: object, *, least: int, most: int) -> None:
    """Raises `PipelineError`, naming the argument and its value, for anything else."""
    if type(value) is not int or not least <= value <= most:
        raise PipelineError(f"{name}={value!r} must be an integer from {least} to {most}")


def require_number(name: str, value: object, *, least: float, most: float) -> None:
    """Raises `PipelineError`, naming the argument and its value, for anything else."""
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
        raise PipelineError(f"{name}={value!r} must be a number from {least:g} to {most:g}")
