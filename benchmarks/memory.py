"""The memory of a process and of all its descendants."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import psutil


def family_of(pid: int) -> list[psutil.Process]:
    """A process and all its descendants that are alive."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def family_bytes(pid: int) -> int:
    """The sum of their proportional set sizes: a page that several share counts once."""
    return sum(_proportional_bytes(process.pid) for process in family_of(pid))


def _proportional_bytes(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
