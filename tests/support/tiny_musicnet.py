"""A few seconds of tones and noise in MusicNet's layout, for tests that need an input folder."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.features import LABEL_RATE

CONFIG = FeatureConfig(n_fft=512, win_length=512, hop_length=128, n_mels=20,
                       window_frames=48, stride_frames=48)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Tiny:
    """One recording to write; `rate` in Hz."""

    recording_id: str
    group: str = "train"
    seconds: float = 1.3
    rate: int = 44_100
    channels: int = 1
    subtype: str = "FLOAT"
    work: str = ""


RECORDINGS = (
    Tiny("101", work="A"),
    Tiny("102", work="A", seconds=0.9, rate=48_000),
    Tiny("103", work="B", seconds=1.7, channels=2),
    Tiny("104", work="C", seconds=2.0, rate=32_000, subtype="PCM_16"),
    Tiny("105", work="D", seconds=0.15, rate=22_050),
    Tiny("201", group="test", work="A", seconds=1.0),
)


def write_tiny_musicnet(root: Path, recordings: Sequence[Tiny] = RECORDINGS) -> Path:
    """Writes the recordings, with labels and metadata, and returns `root`."""
    rows = []
    for place, tiny in enumerate(recordings):
        samples = tiny_samples(tiny, seed=place)
        audio = root / f"{tiny.group}_data" / f"{tiny.recording_id}.wav"
        audio.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, samples, tiny.rate, subtype=tiny.subtype, format="WAV")
        labels = root / f"{tiny.group}_labels" / f"{tiny.recording_id}.csv"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(tiny_labels(tiny, seed=place))
        rows.append([tiny.recording_id, "Composer", tiny.work, "1. Allegro", "Solo", "", "", "",
                     round(tiny.seconds)])  # fmt: skip
    with (root / "musicnet_metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["id", "composer", "composition", "movement", "ensemble", "source",
                         "transcriber", "catalog_name", "seconds"])  # fmt: skip
        writer.writerows(rows)
    return root


def tiny_samples(tiny: Tiny, *, seed: int) -> NDArray[np.float32]:
    """A chord with a little noise, [samples] or [samples, channels]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(tiny.seconds * tiny.rate)) / tiny.rate
    chord = sum(0.1 * np.sin(2 * np.pi * f * time) for f in rng.uniform(100, 4_000, 5))
    shape = (len(time), tiny.channels) if tiny.channels > 1 else (len(time),)
    noise = 0.02 * rng.standard_normal(shape)
    return ((chord[:, None] if tiny.channels > 1 else chord) + noise).astype(np.float32)


def tiny_labels(tiny: Tiny, *, seed: int) -> str:
    rng = np.random.default_rng(seed)
    lines = ["start_time,end_time,instrument,note,start_beat,end_beat,note_value"]
    for beat in range(8):
        length = int(tiny.seconds * LABEL_RATE)
        start = int(rng.integers(0, int(0.9 * length)))
        end = min(length, start + int(rng.integers(1, LABEL_RATE // 4)))
        lines.append(f"{start},{end},1,{rng.integers(30, 90)},{beat}.0,1.0,Quarter")
    return "\n".join(lines) + "\n"
