"""Timing a process as a whole, and what is made of the figures."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Measured:
    """One process: wall time, the largest resident set of it and its children, and its result."""

    seconds: float
    peak_megabytes: float
    result: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Target:
    """A ratio that is claimed."""

    text: str
    ratio: float
    wanted: float

    @property
    def met(self) -> bool:
        return self.ratio >= self.wanted

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        return f"{verdict}: {self.text}: {self.ratio:.2f} (target {self.wanted:g})"


def measure(*arguments: object) -> Measured:
    """Runs `python -m ARGUMENTS`, whose standard output is one JSON object."""
    command = [sys.executable, "-m", *map(str, arguments)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        for file in (output, errors):
            file.seek(0)
        if status:
            sys.exit(f"error: {' '.join(command)} failed:\n{errors.read().decode()[-2000:]}")
        return Measured(seconds, usage.ru_maxrss / 1024, json.load(output))


def median(runs: Sequence[Measured]) -> Measured:
    """The run whose wall time is in the middle."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def machine() -> str:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.split(":", 1)[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
