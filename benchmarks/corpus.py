"""What the benchmarks read: the demo recordings, as often as it takes for a long enough run."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from benchmarks.measure import measure

COPIES = 12


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Recordings in MusicNet's layout, and their duration."""

    root: Path
    seconds: float


def make_corpus(folder: Path) -> Corpus:
    """Renders the demo recordings once and links them under new ids `COPIES` times."""
    rendered, root = folder / "rendered", folder / "corpus"
    # In another process: a large parent would count as the peak memory of those it starts.
    seconds = COPIES * measure("pipelines", "demo-data", rendered, "--json").result["seconds"]
    for path in sorted([*rendered.glob("*_data/*.wav"), *rendered.glob("*_labels/*.csv")]):
        for copy in range(COPIES):
            link = root / path.parent.name / f"{path.stem}-{copy:02d}{path.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    return Corpus(root, seconds)
