"""What the processes of all contenders do: read a split in one way, time it, and print JSON.

Peers run it in environments of their own, with psutil and what `schemas` needs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.memory import family_bytes, family_of
from schemas import Dataset

BATCH = 16
SECONDS = 3.0
"""How long is read, at least, and at least an epoch."""

RESUME_AT = 0.9
"""The share of an epoch after which reading is resumed."""

Batch = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Resumption:
    """A state that was saved in mid-epoch: its size, and how to get the next batch from it."""

    state_bytes: int
    resume: Callable[[], Batch]


@dataclasses.dataclass(frozen=True)
class Way:
    """How a contender reads, and where it can, how it resumes, and how it copies the windows.

    All get the dataset, the names of the features, and the contender's further arguments. `open`
    gives batches without end, in which each feature has an entry per window.
    """

    open: Callable[..., Iterator[Batch]]
    save: Callable[..., Resumption] | None = None
    copy: Callable[..., None] | None = None


def main(way: Way) -> None:
    """Runs the task that the command line names: `TASK FOLDER FEATURES [ARGUMENT...]`.

    `epochs` reads for some seconds, `epoch` reads one epoch, `resume` resumes, `copy` copies.
    """
    idle_bytes = family_bytes(os.getpid())
    task, folder, features, *arguments = sys.argv[1:]
    names = tuple(features.split(","))
    dataset = Dataset(folder)
    figures: dict[str, float] = {}
    if task == "copy":
        assert way.copy is not None
        way.copy(dataset, names, *arguments)
    elif task == "resume":
        assert way.save is not None
        figures = resume(way.save(dataset, names, *arguments))
    else:
        least, seconds = epoch_windows(dataset), SECONDS if task == "epochs" else 0
        opened = time.monotonic()
        batches = way.open(dataset, names, *arguments)
        figures = read(batches, opened, names[0], least, seconds)
    print(json.dumps({**figures, "idle_bytes": idle_bytes}))


def epoch_windows(dataset: Dataset) -> int:
    return dataset.manifest.splits["train"].windows


def resume(saved: Resumption) -> dict[str, float]:
    started = time.monotonic()
    saved.resume()
    return {"state_bytes": saved.state_bytes, "resume_seconds": time.monotonic() - started}


def read(
    batches: Iterator[Batch], opened: float, feature: str, least: int, seconds: float
) -> dict[str, float]:
    """Reads `least` windows and for `seconds`, at least; the first batch is timed by itself."""
    first = len(next(batches)[feature])
    started, computed = time.monotonic(), cpu_seconds()
    windows, taken = 0, 0.0
    while first + windows < least or taken < seconds:
        windows += len(next(batches)[feature])
        taken = time.monotonic() - started
    return {
        "windows_per_second": windows / taken,
        "cpu_seconds_per_window": (cpu_seconds() - computed) / windows,
        "first_batch_seconds": started - opened,
        "windows_per_second_from_opening": (windows + first) / (taken + started - opened),
    }


def read_to(batches: Iterator[Batch], feature: str, windows: float) -> None:
    """Takes batches until they make up this many windows at least."""
    while windows > 0:
        windows -= len(next(batches)[feature])


def cpu_seconds() -> float:
    """What this process and all its descendants have computed so far."""
    ended = os.times()
    alive = sum(sum(process.cpu_times()[:2]) for process in family_of(os.getpid()))
    return alive + ended.children_user + ended.children_system
