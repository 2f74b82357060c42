"""What the benchmarks read: the demo recordings, as often as it takes for a long enough run."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import soundfile

from pipelines.demo_data import write_demo_data

COPIES = 12


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Recordings in MusicNet's layout, and their duration."""

    root: Path
    seconds: float


def make_corpus(folder: Path) -> Corpus:
    """Renders the demo recordings once and links them under new ids `COPIES` times."""
    rendered, root = folder / "rendered", folder / "corpus"
    write_demo_data(rendered)
    seconds = 0.0
    for path in sorted([*rendered.glob("*_data/*.wav"), *rendered.glob("*_labels/*.csv")]):
        for copy in range(COPIES):
            link = root / path.parent.name / f"{path.stem}-{copy:02d}{path.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
            seconds += soundfile.info(path).duration if path.suffix == ".wav" else 0.0
    return Corpus(root, seconds)
