"""The figures of each step, a line of JSON each: RUN/metrics.jsonl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from schemas import Storage
from schemas.storage import writing


class MetricsFile:
    """Lines such as {"step": 7, "bits": 5.1}, written as they come.

    `done` is the step that the run is resumed from, or 0: lines of later steps, which a process
    wrote before it was killed, are removed. Raises `DatasetError` with the path, the cause, and the
    remedy where the file cannot be written.
    """

    def __init__(self, path: Path, *, done: int) -> None:
        self._path = path
        if path.exists():
            kept = [line for line in path.read_bytes().splitlines(True) if _step_of(line) <= done]
            Storage(path.parent).write_bytes(path.name, b"".join(kept))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with writing(self._path), open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file of metrics, without one that was cut short; none without a file."""
    if not path.exists():
        return []
    lines = Storage(path.parent).read_bytes(path.name).splitlines()
    return [line for line in lines if _step_of(line) < float("inf")]


def _step_of(line: bytes) -> float:
    """The step of a line; infinite for one that was cut short."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
