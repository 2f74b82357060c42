"""Is a generated recording like its training data, and not a copy of any of it?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset, FeatureConfig
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.inversion import audio_to_log_mel, read_audio
from training.novelty import excerpts_of, nearest_distances, spectral_summary
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.runs import read_run

EXCERPT_SECONDS = 1.0

MAX_EXCERPTS = 200
"""About this many excerpts of the test split are measured, evenly spread over it."""

COPY_DISTANCE = 0.1
"""Music made again from its own log-mel spectrogram, at any loudness, comes nearer to itself than
this: to 0.003 to 0.03, measured; other recordings of real music come to 0.35 at the nearest."""

AUDIBLE_DB = -20.0
"""An excerpt in which no mel bin comes up to this is silence."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """One recording beside the training split.

    `summary` maps level, centroid and spread to the recording's value and the least and greatest
    of the training windows. Distances (see `novelty.nearest_distances`) are of the one-second
    excerpts to the nearest position in any training window, as (least, median): those of the
    recording, and of the test split. The recording counts as a copy when an excerpt of it comes
    nearer than every excerpt of the test split, or than `COPY_DISTANCE`. `damaged_windows`
    describes some of the `damaged_count` damaged windows that were met.
    """

    audio: str
    summary: dict[str, tuple[float, float, float]]
    within_training_range: dict[str, bool]
    nearest: tuple[float, float]
    test_nearest: tuple[float, float]
    copy: bool
    damaged_windows: tuple[str, ...]
    damaged_count: int


def compare(
    run_dir: str, data: str, audio: str, *, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> Comparison:
    """Compares the file `audio` with the dataset's windows, under the run's features.

    Raises `TrainingError` where the dataset has other features, the memory budget is too small, or
    the file cannot be read or holds no audible second.
    """
    run = read_run(run_dir)
    config = run.features
    dataset = Dataset(data)
    run.require_features(dataset)
    train, test = open_splits(dataset, ("train", "test"), batch_size=1, memory_bytes=memory_bytes)
    log_mel = audio_to_log_mel(read_audio(Path(audio), config), config)
    frames = round(EXCERPT_SECONDS * config.frames_per_second)
    own = list(excerpts_of([log_mel], frames, AUDIBLE_DB))
    apart = max(1, len(test) * (config.window_frames // frames) // MAX_EXCERPTS)
    every = excerpts_of(_windows(test), frames, AUDIBLE_DB)
    theirs = [excerpt.copy() for excerpt in itertools.islice(every, 0, None, apart)]
    if not own or not theirs:
        raise TrainingError(
            f"{data if own else audio}: holds no audible second, so there is nothing to compare"
        )
    nearest = nearest_distances(np.stack(own + theirs), _windows(train), np.array(run.mean_db))
    mine, others = nearest[: len(own)], nearest[len(own) :]
    summary = _summary(log_mel, train, run.features)
    return Comparison(
        audio=audio,
        summary=summary,
        within_training_range={
            name: low <= value <= high for name, (value, low, high) in summary.items()
        },
        nearest=(float(mine.min()), float(np.median(mine))),
        test_nearest=(float(others.min()), float(np.median(others))),
        copy=bool(mine.min() < max(others.min(), COPY_DISTANCE)),
        damaged_windows=tuple(train.damaged + test.damaged),
        damaged_count=train.damaged_count + test.damaged_count,
    )


def _summary(
    log_mel: NDArray[Any], train: Reader, config: FeatureConfig
) -> dict[str, tuple[float, float, float]]:
    own = dataclasses.astuple(spectral_summary(log_mel, config))
    ranges = np.array(
        [dataclasses.astuple(spectral_summary(window, config)) for window in _windows(train)]
    )
    names = ("level_db", "centroid_hz", "spread_hz")
    return {
        name: (value, float(low), float(high))
        for name, value, low, high in zip(
            names, own, ranges.min(axis=0), ranges.max(axis=0), strict=True
        )
    }


def _windows(reader: Reader) -> Iterator[NDArray[Any]]:
    """The valid frames of each window, in dB: [frames, n_mels]."""
    for batch in reader.in_order():
        for log_mel, valid in zip(batch["log_mel"], batch["valid_frames"], strict=True):
            yield log_mel[:valid]
