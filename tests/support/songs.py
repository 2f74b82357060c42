"""A folder of somebody's songs: other formats, no labels, and a file that is no recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050


def write_songs(root: Path, *, seconds: float = 3) -> None:
    """Six songs in three folders, of three formats, with a picture."""
    for number in range(6):
        time = np.arange(round(seconds * RATE)) / RATE
        samples = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (number / 12) * time)
        suffix = ("mp3", "flac", "ogg")[number % 3]
        path = root / f"album {number // 2}" / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE)
    (root / "cover.jpg").touch()
