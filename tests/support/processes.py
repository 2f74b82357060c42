"""`preprocess` as a process of its own, for tests that kill, starve or measure it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory import family_of

ROOT = Path(__file__).parents[2]
SECONDS = 300
"""A run that takes longer hangs."""


def preprocess_command(root: Path | str, out: Path | str, *options: object) -> list[str]:
    arguments = ["--input", root, "--output", out, "--json", *options]
    return [sys.executable, "-m", "pipelines", "preprocess", *map(str, arguments)]


def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Starts a process in a session of its own, so that all of it can be killed."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True, **options
    )


def kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def computed_seconds(process: subprocess.Popen[str]) -> float:
    """For how long a process and those that it started, as far as they live, have computed."""
    seconds = 0.0
    for each in family_of(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(each.cpu_times()[:2])
    return seconds


def kill_after(cpu_seconds: float, process: subprocess.Popen[str]) -> None:
    """Kills a process when it has computed for so long, be the machine idle or busy."""
    while process.poll() is None and computed_seconds(process) < cpu_seconds:
        time.sleep(0.002)
    kill(process)


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Waits until a condition holds, which it must before the process ends, and soon."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(command: list[str], **options: Any) -> dict[str, Any]:
    """Runs a command to its end; what it printed."""
    process = start(command, **options)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(output)


def refusal(command: list[str], **options: Any) -> str:
    """Runs a command that must fail; its message, which must be one line."""
    return refused(start(command, **options))


def refused(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (1, ""), errors
    assert "\r" not in errors
    progress = re.compile(r"(listing recordings|writing shards|inspecting|verifying): ")
    (line,) = [line for line in errors.splitlines() if not progress.match(line)]
    assert line.startswith("error: ")
    return line.removeprefix("error: ")
