"""The commands that the benchmark compares: ours, the peer's and the limit's."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.corpus import Corpora, Corpus
from benchmarks.measure import Watched, measure, watch

ALONE, ALL = "log_mel", "log_mel,waveform,notes,onsets"
"""Features: the peer's, and all."""

TIMED_ROUNDS = 2


@dataclasses.dataclass(frozen=True)
class Contender:
    """A command, `python -m ...`, in which CORPUS and OUT stand for folders."""

    command: tuple[object, ...]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def arguments(self, corpus: Corpus, out: Path) -> list[object]:
        places = {"CORPUS": corpus.root, "OUT": out}
        return [places.get(each, each) if isinstance(each, str) else each for each in self.command]


def usual(mode: str, workers: int) -> Contender:
    """The usual pipeline, whose workers do not compete with each other's threads for cores."""
    command = ("benchmarks.usual_pipeline", "CORPUS", "OUT", mode, workers)
    return Contender(command, {"OPENBLAS_NUM_THREADS": "1"} if workers > 1 else {})


def ours(workers: int, features: str, file_format: str) -> Contender:
    return Contender(
        (
            *("pipelines", "preprocess", "--input", "CORPUS", "--output", "OUT", "--json"),
            *("--features", features, "--format", file_format, "--workers", workers),
        )
    )


def limit(workers: int) -> Contender:
    return Contender(("benchmarks.bare_arithmetic", "CORPUS", workers))


@dataclasses.dataclass(frozen=True)
class Result:
    """Seconds for two and for ten hours in the fastest run, and what another run took."""

    corpora: Corpora
    two_seconds: float
    ten_seconds: float
    two: Watched
    ten: Watched

    @property
    def rate(self) -> float:
        """Seconds of audio per second, over ten hours, start-up included."""
        return self.corpora.ten_hours.seconds / self.ten_seconds

    @property
    def rate_without_start(self) -> float:
        """The same for the eight hours by which the corpora differ."""
        more = self.corpora.ten_hours.seconds - self.corpora.two_hours.seconds
        return more / (self.ten_seconds - self.two_seconds)

    @property
    def start_seconds(self) -> float:
        """The rest of the two hours' time."""
        return self.two_seconds - self.corpora.two_hours.seconds / self.rate_without_start


def compete(
    contenders: Mapping[str, Contender], corpora: Corpora, folder: Path
) -> dict[str, Result]:
    """Runs all in turn, so that a drift of the machine's speed affects all of them."""
    both = (corpora.two_hours, corpora.ten_hours)
    watched: dict[tuple[str, Corpus], Watched] = {}
    seconds: dict[tuple[str, Corpus], float] = {}
    for timed in range(TIMED_ROUNDS + 1):
        for name, contender in contenders.items():
            for corpus in both:
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                arguments, environment = contender.arguments(corpus, out), contender.environment
                if not timed:
                    watched[name, corpus] = watch(*arguments, dataset=out, environment=environment)
                    continue
                taken = measure(*arguments, environment=environment).seconds
                seconds[name, corpus] = min(taken, seconds.get((name, corpus), taken))
    return {
        name: Result(
            corpora,
            two_seconds=seconds[name, corpora.two_hours],
            ten_seconds=seconds[name, corpora.ten_hours],
            two=watched[name, corpora.two_hours],
            ten=watched[name, corpora.ten_hours],
        )
        for name in contenders
    }
