"""Reading windows: ours beside tf.data, Grain, MosaicML streaming and the physical limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks import peers
from benchmarks.corpus import Corpora
from benchmarks.measure import PYTHON, Target, measure
from benchmarks.reading import link
from benchmarks.reading.contenders import (
    CONTENDERS,
    GRAIN_ARRAYS,
    LIMIT,
    OURS,
    OURS_TF_DATA,
    TF_DATA,
)
from benchmarks.reading.rounds import WARM_RUNS, Entry, Figures, measure_all, say
from pipelines.text import aligned
from schemas import Dataset

SHARD_MB = 64
FEATURES = {"log_mel": "log_mel", "all features": "log_mel,waveform,notes,onsets"}

HEADER = [
    ["", "windows/s", "windows/s", "CPU s", "MB over", "s to first", "state", "s to"],
    ["", "warm", "cold", "per GB", "idle", "batch", "bytes", "resume"],
]


def run(corpora: Corpora, folder: Path) -> list[Target]:
    dataset = folder / "reader-dataset"
    say("preprocessing")
    measure("pipelines", "preprocess", "--input", corpora.ten_hours.root, "--output", dataset,
            "--shard-mb", SHARD_MB, "--format", "both", "--json")  # fmt: skip
    entries, absent = _prepare(dataset)
    _print_dataset(dataset)
    wanted: list[Target] = []
    for shown, features in FEATURES.items():
        figures = measure_all(entries, dataset, features)
        print(f"{shown}: warm is the fastest of {WARM_RUNS} runs; {cold_runs(figures)}")
        rows = [[name, *cells(figures[name])] for name in figures]
        print(aligned([*HEADER, *rows]))
        for name, each in figures.items():
            if len(CONTENDERS[name].settings) > 1:
                print(f"{name}: its fastest setting was {' '.join(each.setting)}")
        wanted += targets(shown, figures)
    for name, reason in absent.items():
        print(f"{name}: not measured: {reason}")
    return wanted + link.run(folder)


def _prepare(dataset: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """The contenders that can run here, whose copies are made, and why the others cannot."""
    entries: dict[str, Entry] = {}
    absent: dict[str, str] = {}
    for name, contender in CONTENDERS.items():
        try:
            python = peers.interpreter(contender.peer) if contender.peer else PYTHON
        except peers.PeerError as error:
            absent[name] = str(error)
            continue
        entries[name] = Entry(contender, python)
        if contender.copies:
            say(f"copying the windows: {name}")
            measure(*contender.command("copy", dataset, FEATURES["all features"]), python=python)
    return entries, absent


def _print_dataset(folder: Path) -> None:
    dataset = Dataset(folder)
    split = dataset.manifest.splits["train"]
    files = CONTENDERS[OURS].files(folder)
    gigabytes = sum(path.stat().st_size for path in files) / 1e9
    print(f"{split.windows:,} windows of training in {len(files)} shards, {gigabytes:.1f} GB")


def cold_runs(figures: Mapping[str, Figures]) -> str:
    """What the cold runs found in the page cache."""
    (dropped_by,) = {each.dropped_by for each in figures.values()}
    share = max(each.cached_share for each in figures.values())
    return f"cold is one epoch after {dropped_by} left {share:.1%} of its files in the page cache"


def cells(figures: Figures) -> list[str]:
    return [
        f"{figures.warm:,.0f}",
        f"{figures.cold:,.0f}",
        f"{figures.cpu_seconds_per_gb:.2f}",
        f"{figures.bytes_over_idle / 1e6:,.0f}",
        *(
            "" if figure is None else f"{figure:{form}}"
            for figure, form in (
                (figures.first_batch_seconds, ".2f"),
                (figures.state_bytes, ",.0f"),
                (figures.resume_seconds, ".2f"),
            )
        ),
    ]


def targets(shown: str, figures: Mapping[str, Figures]) -> list[Target]:
    def warm(name: str, other: str) -> float | None:
        both = name in figures and other in figures
        return figures[name].warm / figures[other].warm if both else None

    memory = figures[OURS].bytes_over_idle / figures[TF_DATA].bytes_over_idle
    at_least = 5 if shown == "log_mel" else 3
    return [
        Target(f"reading {shown}, to tf.data", warm(OURS, TF_DATA), at_least),
        Target(f"reading {shown}, to Grain", warm(OURS, GRAIN_ARRAYS), 2),
        Target(f"reading {shown}, to the limit", warm(OURS, LIMIT), 0.7),
        Target(f"reading {shown}, as tf.data to as arrays", warm(OURS_TF_DATA, OURS), 0.7),
        Target(f"reading {shown}, memory to tf.data's", memory, 0.25, at_most=True),
    ]
