"""Timing whole processes, and holding the figures against targets."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory import family_bytes, family_of

PYTHON = Path(sys.executable)

_SECONDS_BETWEEN_LOOKS = 0.05


@dataclasses.dataclass(frozen=True)
class Measured:
    """One process: wall time, and the JSON that it printed."""

    seconds: float
    result: Any


@dataclasses.dataclass(frozen=True)
class Watched:
    """What it and all its descendants took: proportional set sizes, and CPU time.

    `first_shard_seconds` is when the first shard of a dataset was there, None where none was;
    `result` is the JSON that the process printed.
    """

    peak_bytes: int
    cpu_seconds: float
    first_shard_seconds: float | None
    result: Any


@dataclasses.dataclass(frozen=True)
class Target:
    """A figure that is claimed: at least `wanted`, or at most; missed where it was not measured."""

    text: str
    figure: float | None
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        if self.figure is None:
            return False
        return self.figure <= self.wanted if self.at_most else self.figure >= self.wanted

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        bound = "at most" if self.at_most else "at least"
        figure = "not measured" if self.figure is None else f"{self.figure:.2f}"
        return f"{verdict}: {self.text}: {figure} ({bound} {self.wanted:g})"


def measure(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    python: Path = PYTHON,
) -> Measured:
    """Runs `python -m ARGUMENTS`, whose standard output is JSON or nothing that matters."""
    return _run([python, "-m", *arguments], environment, lambda process: process.wait())


def measure_script(
    script: Path, *arguments: object, environment: Mapping[str, str] | None = None
) -> Measured:
    """The same for a file, which imports nothing from the current folder or its own."""
    command = [PYTHON, "-P", script, *arguments]
    return _run(command, environment, lambda process: process.wait())


def watch(
    *arguments: object,
    dataset: Path | None = None,
    environment: Mapping[str, str] | None = None,
    python: Path = PYTHON,
) -> Watched:
    """The same, observed all the time, which itself takes time; it writes into `dataset`."""
    peak, first_shard = 0, None
    computed: dict[int, float] = {}
    started = time.monotonic()

    def look(process: subprocess.Popen[bytes]) -> None:
        nonlocal peak, first_shard
        while process.poll() is None:
            peak = max(peak, family_bytes(process.pid))
            for each in family_of(process.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    computed[each.pid] = sum(each.cpu_times()[:2])
            if dataset and first_shard is None and any(dataset.glob("*/*.index.parquet")):
                first_shard = time.monotonic() - started
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    measured = _run([python, "-m", *arguments], environment, look)
    return Watched(peak, sum(computed.values()), first_shard, measured.result)


def _run(
    words: Sequence[object],
    environment: Mapping[str, str] | None,
    wait: Callable[[subprocess.Popen[bytes]], object],
) -> Measured:
    command = [*map(str, words)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        # With this variable, each process compiles every module that it imports, for seconds.
        own = {name: each for name, each in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        variables = {**own, **(environment or {})}
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=variables)
        wait(process)
        seconds = time.monotonic() - started
        for file in (output, errors):
            file.seek(0)
        if process.returncode:
            sys.exit(f"error: {' '.join(command)} failed:\n{errors.read().decode()[-2000:]}")
        printed = output.read()
        return Measured(seconds, json.loads(printed) if printed[:1] == b"{" else None)


def machine() -> str:
    """The machine that was measured."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as file:
        model = next(line.split(":", 1)[1].strip() for line in file if "model name" in line)
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}"
