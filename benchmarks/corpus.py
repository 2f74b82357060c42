"""The benchmarks' input: the demo recordings, joined to recordings of MusicNet's length."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.measure import measure
from schemas.features import LABEL_RATE

RECORDING_SECONDS = 34 * 3600 / 330
"""MusicNet's mean; whole demo recordings are joined until they are at least as long."""

TEST_EVERY = 10
"""One recording in this many is a test recording."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Recordings in MusicNet's layout, and their duration."""

    root: Path
    seconds: float

    @property
    def hours(self) -> float:
        return self.seconds / 3600


@dataclasses.dataclass(frozen=True)
class Corpora:
    """Two hours of audio, and the same five times over under other names."""

    two_hours: Corpus
    ten_hours: Corpus


def make_corpora(folder: Path) -> Corpora:
    """Renders the demo recordings and joins them into recordings in `folder`; 1.3 GB."""
    rendered = folder / "rendered"
    # In another process: a large parent would count as the peak memory of those it starts.
    measure("pipelines", "demo-data", rendered, "--json")
    two, ten = folder / "two-hours", folder / "ten-hours"
    samples = 0
    parts = _parts(rendered)
    for number in itertools.count():
        if samples >= 2 * 3600 * LABEL_RATE:
            break
        group = "test" if number % TEST_EVERY == 0 else "train"
        samples += _join(parts, two / f"{group}_data/{number}.wav")
        for kind, ending in (("data", "wav"), ("labels", "csv")):
            for copy in range(5):
                link = ten / f"{group}_{kind}" / f"{number}-{copy}.{ending}"
                link.parent.mkdir(parents=True, exist_ok=True)
                os.link(two / f"{group}_{kind}" / f"{number}.{ending}", link)
    seconds = samples / LABEL_RATE
    return Corpora(Corpus(two, seconds), Corpus(ten, 5 * seconds))


def _parts(rendered: Path) -> Iterator[tuple[NDArray[np.float32], list[dict[str, str]]]]:
    """The samples and the notes of one demo recording after another, again and again."""
    for path in itertools.cycle(sorted(rendered.glob("*_data/*.wav"))):
        labels = Path(str(path).replace("_data", "_labels")).with_suffix(".csv")
        with labels.open(newline="") as file:
            yield soundfile.read(path, dtype="float32")[0], list(csv.DictReader(file))


def _join(parts: Iterator[tuple[NDArray[np.float32], list[dict[str, str]]]], path: Path) -> int:
    """Writes one recording and its labels; its length in samples."""
    audio: list[NDArray[np.float32]] = []
    notes: list[dict[str, object]] = []
    length = 0
    while length < RECORDING_SECONDS * LABEL_RATE:
        samples, rows = next(parts)
        for row in rows:
            start, end = int(row["start_time"]) + length, int(row["end_time"]) + length
            notes.append({**row, "start_time": start, "end_time": end})
        audio.append(samples)
        length += len(samples)
    labels = Path(str(path).replace("_data", "_labels")).with_suffix(".csv")
    for folder in (path.parent, labels.parent):
        folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(audio), LABEL_RATE, subtype="FLOAT")
    with labels.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(notes[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(notes)
    return length
