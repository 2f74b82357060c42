"""Runs all contenders in turns, and collects their figures."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import page_cache
from benchmarks.measure import measure, watch
from benchmarks.reading.contenders import Contender
from schemas import Dataset

WARM_RUNS = 3

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """What a contender took with its best setting; None where something does not apply to it.

    `warm` and `cold` are windows per second: after the first batch of the fastest run, which CPU
    and first batch are of too, and over one epoch from its opening on. Before the cold run the page
    cache was dropped by `dropped_by`, which left `cached_share` of the files in it.
    """

    setting: tuple[str, ...]
    warm: float
    cold: float
    cpu_seconds_per_gb: float
    bytes_over_idle: float
    first_batch_seconds: float | None
    state_bytes: float | None
    resume_seconds: float | None
    dropped_by: str
    cached_share: float


@dataclasses.dataclass(frozen=True)
class Entry:
    """A contender, the Python that runs it, and one of its settings."""

    contender: Contender
    python: Path
    setting: tuple[str, ...] = ()


def measure_all(entries: Mapping[str, Entry], dataset: Path, features: str) -> dict[str, Figures]:
    """The figures of all, by name; in turns, so that a drift of the machine's speed affects all."""

    def turn(what: str, task: Callable[[Entry, Path, str], Result]) -> dict[str, Result]:
        results = {}
        for name, entry in entries.items():
            say(f"{features}, {what}: {name}")
            results[name] = task(entry, dataset, features)
        return results

    entries = turn("best setting", _best_setting)
    warm = [turn(f"warm, {number + 1} of {WARM_RUNS}", _warm) for number in range(WARM_RUNS)]
    over_idle = turn("memory", _bytes_over_idle)
    resumed = turn("resuming", _resume)
    cold = turn("cold", _cold)
    specs = Dataset(dataset).config.specs()
    gigabytes = sum(specs[name].nbytes for name in features.split(",")) / 1e9
    figures = {}
    for name in entries:
        best = max((each[name] for each in warm), key=lambda run: run["windows_per_second"])
        figures[name] = Figures(
            setting=entries[name].setting,
            warm=best["windows_per_second"],
            cold=cold[name].result["windows_per_second_from_opening"],
            cpu_seconds_per_gb=best["cpu_seconds_per_window"] / gigabytes,
            bytes_over_idle=over_idle[name],
            first_batch_seconds=best.get("first_batch_seconds"),
            state_bytes=resumed[name].get("state_bytes"),
            resume_seconds=resumed[name].get("resume_seconds"),
            dropped_by=cold[name].dropped_by,
            cached_share=cold[name].cached_share,
        )
    return figures


def say(text: str) -> None:
    """Progress, beside the tables that are printed to standard output."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _best_setting(entry: Entry, dataset: Path, features: str) -> Entry:
    """With the setting that is the fastest in one warm run each."""
    tried = [dataclasses.replace(entry, setting=each) for each in entry.contender.settings]
    if len(tried) == 1:
        return tried[0]
    return max(tried, key=lambda each: _warm(each, dataset, features)["windows_per_second"])


def _warm(entry: Entry, dataset: Path, features: str) -> Any:
    page_cache.warm(entry.contender.files(dataset))
    return _task("epochs", entry, dataset, features)


def _bytes_over_idle(entry: Entry, dataset: Path, features: str) -> float:
    command = entry.contender.command("epochs", dataset, features, entry.setting)
    watched = watch(*command, python=entry.python)
    return watched.peak_bytes - float(watched.result["idle_bytes"])


def _resume(entry: Entry, dataset: Path, features: str) -> Any:
    return _task("resume", entry, dataset, features) if entry.contender.resumes else {}


@dataclasses.dataclass(frozen=True)
class _Cold:
    dropped_by: str
    cached_share: float
    result: Any


def _cold(entry: Entry, dataset: Path, features: str) -> _Cold:
    files = entry.contender.files(dataset)
    dropped_by = page_cache.drop(files)
    cached_share = page_cache.cached_share(files)
    return _Cold(dropped_by, cached_share, _task("epoch", entry, dataset, features))


def _task(task: str, entry: Entry, dataset: Path, features: str) -> Any:
    command = entry.contender.command(task, dataset, features, entry.setting)
    return measure(*command, python=entry.python).result
