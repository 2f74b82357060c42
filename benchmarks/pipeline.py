"""Preprocessing, as whole processes: ours, the usual Beam pipeline, and the bare arithmetic."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import ALL, ALONE, TIMED_ROUNDS, Result, compete, limit, ours, usual
from benchmarks.corpus import Corpora
from benchmarks.measure import Target, measure
from musicnet_duet.concurrency import available_cores
from pipelines.text import aligned
from schemas import Dataset
from schemas.shards import FORMATS

CORES = available_cores()
WORKER_BYTES = 250 * 2**20
"""The limit for each worker, and for the parent process."""

FORMAT_NAMES = (*FORMATS, "both")


def run(corpora: Corpora, folder: Path) -> list[Target]:
    peers = {
        "usual pipeline, 1 worker": usual("in_memory", 1),
        f"usual pipeline, {CORES} threads": usual("multi_threading", CORES),
        f"usual pipeline, {CORES} processes": usual("multi_processing", CORES),
    }
    own = {
        _name(workers, features, file_format): ours(workers, features, file_format)
        for workers in sorted({1, CORES})
        for features in (ALONE, ALL)
        for file_format in FORMAT_NAMES
    }
    limits = {f"limit, {count} processes": limit(count) for count in sorted({1, CORES})}
    results = compete({**peers, **own, **limits}, corpora, folder)
    _print_results(results, corpora)
    _print_breakdown(corpora)
    best_peer = min((results[name] for name in peers), key=lambda result: result.ten_seconds)
    one = results[_name(1, ALONE, "tfrecord")]
    most = results[_name(CORES, ALONE, "tfrecord")]
    every = results[_name(CORES, ALL, "tfrecord")]
    return [
        Target(
            "one worker, to the usual pipeline's one worker",
            one.rate / results["usual pipeline, 1 worker"].rate,
            4,
        ),
        Target("all cores, to the usual pipeline at its best", most.rate / best_peer.rate, 3.5),
        Target(
            "all cores, to the limit", most.rate / results[f"limit, {CORES} processes"].rate, 0.38
        ),
        Target(
            "all features, time to that of log_mel alone",
            every.ten_seconds / most.ten_seconds,
            1.6,
            at_most=True,
        ),
        *_growth_targets({name: results[name] for name in own}),
        *_start_targets(most),
        *_reading_targets(corpora, folder),
        *_reuse_targets(corpora, folder),
    ]


def _name(workers: int, features: str, file_format: str) -> str:
    shown = "log_mel" if features == ALONE else "all features"
    return f"ours, {workers} worker{'s' * (workers > 1)}, {shown}, {file_format}"


def _print_results(results: Mapping[str, Result], corpora: Corpora) -> None:
    two, ten = corpora.two_hours.hours, corpora.ten_hours.hours
    print(
        f"{two:.2f} h and {ten:.2f} h of 44.1 kHz audio, warm cache: seconds of the faster of "
        f"{TIMED_ROUNDS} runs;\nCPU seconds and MB (PSS of all processes) of another, watched one"
    )
    rows = [
        ["", f"{two:.0f} h", f"{ten:.0f} h", "x real", "start", "x after", "CPU", "MB", "MB"],
        ["", "s", "s", "time", "s", "start", f"{ten:.0f} h", f"{two:.0f} h", f"{ten:.0f} h"],
    ]
    for name, each in results.items():
        rows.append(
            [
                name,
                f"{each.two_seconds:.1f}",
                f"{each.ten_seconds:.1f}",
                f"{each.rate:,.0f}",
                f"{each.start_seconds:.1f}",
                f"{each.rate_without_start:,.0f}",
                f"{each.ten.cpu_seconds:.0f}",
                f"{each.two.peak_bytes / 2**20:,.0f}",
                f"{each.ten.peak_bytes / 2**20:,.0f}",
            ]
        )
    print(aligned(rows))


def _print_breakdown(corpora: Corpora) -> None:
    root = corpora.two_hours.root
    alone, every = (
        measure("benchmarks.breakdown", root, features).result for features in (ALONE, ALL)
    )
    rows = [["", "log_mel", "all features"]]
    rows += [[stage, f"{alone.get(stage, 0):.2f}", f"{every[stage]:.2f}"] for stage in every]
    rows.append(["sum", f"{sum(alone.values()):.2f}", f"{sum(every.values()):.2f}"])
    print("milliseconds a window by stage, on one thread, without Beam, TFRecord")
    print(aligned(rows))


def _growth_targets(own: Mapping[str, Result]) -> list[Target]:
    """The worst of all our commands."""
    results = list(own.values())
    growth = max(each.ten.peak_bytes / each.two.peak_bytes for each in results)
    slowing = max(
        (each.ten_seconds / each.corpora.ten_hours.hours)
        / (each.two_seconds / each.corpora.two_hours.hours)
        for each in results
    )
    bounds = [
        each.ten.peak_bytes / (WORKER_BYTES * (workers + 1))
        for name, each in own.items()
        for workers in [CORES if f" {CORES} worker" in name else 1]
    ]
    return [
        Target("memory, to 250 MiB a process", max(bounds), 1, at_most=True),
        Target("memory, ten hours to two", growth, 1.1, at_most=True),
        Target("time per hour of audio, ten hours to two", slowing, 1.1, at_most=True),
    ]


def _start_targets(result: Result) -> list[Target]:
    first_shard = result.ten.first_shard_seconds
    assert first_shard is not None
    helped = min(measure("pipelines", "--help").seconds for _ in range(5))
    return [
        Target("seconds until the first shard is there", first_shard, 8, at_most=True),
        Target("seconds of --help", helped, 0.5, at_most=True),
    ]


def _reading_targets(corpora: Corpora, folder: Path) -> list[Target]:
    """How fast the ten hours' dataset is verified and summed up, start-up included."""
    out = folder / "read"
    measure(*ours(CORES, ALL, "tfrecord").arguments(corpora.ten_hours, out))
    files = Dataset(out).manifest.files.items()
    nbytes = sum(entry.nbytes for name, entry in files if name.endswith(".tfrecord"))
    targets = []
    for command in ("verify", "inspect"):
        seconds = min(measure("pipelines", command, out, "--json").seconds for _ in range(3))
        targets.append(Target(f"GB/s of shards, {command}", nbytes / seconds / 1e9, 1))
    return targets


def _reuse_targets(corpora: Corpora, folder: Path) -> list[Target]:
    """How long ten hours take where an earlier dataset has all windows, start-up included.

    More features are more to copy: what is left to gain is less.
    """
    targets = []
    for features, shown, most in ((ALONE, "log_mel", 0.65), (ALL, "all features", 0.85)):
        contender = ours(CORES, features, "tfrecord")
        earlier, out = folder / "earlier", folder / "reused"
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for reuses in [False, True] * TIMED_ROUNDS:
            place = out if reuses else earlier
            shutil.rmtree(place, ignore_errors=True)
            more = ["--reuse", earlier] if reuses else []
            took = measure(*contender.arguments(corpora.ten_hours, place), *more).seconds
            seconds[reuses].append(took)
        ratio = min(seconds[True]) / min(seconds[False])
        text = f"all windows reused, {shown}, time to that of computing them"
        targets.append(Target(text, ratio, most, at_most=True))
    return targets
