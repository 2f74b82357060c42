"""Is a generated recording like its training data, and not a copy of any of it?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset, FeatureConfig
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.inversion import audio_to_log_mel, read_audio
from training.measures.copies import (
    CopyRule,
    Patches,
    copy_rule,
    distances_to_training,
    known_copies,
    patches_of,
)
from training.measures.real_music import RealMusic, RealWindow, real_music
from training.measures.reference import Interval
from training.reading.reader import Reader
from training.real_windows import (
    MAX_WINDOWS,
    damage,
    open_real_music,
    real_windows,
    valid_windows,
)
from training.runs import read_run

REFERENCE_SPLITS = ("train", "validation")

CALIBRATION_WINDOWS = 24
"""About this many training windows are searched for in other training recordings."""

COPIED_WINDOWS = 6
"""Copies of this many training windows are searched for in all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """One recording beside the training and validation splits.

    None means unknown: there is too little real music.

    Attributes:
        audio: The file.
        windows: The number of windows that it was cut into, as long as those of the dataset, or
            the one of a shorter recording.
        frames: Their length.
        real_windows: The number of windows of real music, cut to the same length.
        average_precision: That of the transcriber on recordings that it was not fitted to; None
            also for a dataset without notes.
        measures: The median over its windows of each measure.
        intervals: The 5th, 50th and 95th percentile over real windows of each measure.
        outside: The measures whose median is outside of the 5th to 95th percentile.
        unlike_windows: The number of windows that all measures together call unlike music, as they
            do one real window in twenty.
        unlike: Whether most windows are.
        nearest: The least and the median distance of its audible seconds to the nearest position in
            any training window, 1 - correlation.
        copy_rule: How near copies come, and other recordings.
        copy: Whether one of its seconds is a copy.
        damaged_windows: Descriptions of some of the `damaged_count` damaged windows.
        damaged_count: The number of damaged windows that were met.
    """

    audio: str
    windows: int
    frames: int
    real_windows: int
    average_precision: float | None
    measures: Mapping[str, float]
    intervals: Mapping[str, Interval] | None
    outside: tuple[str, ...] | None
    unlike_windows: int | None
    unlike: bool | None
    nearest: tuple[float, float]
    copy_rule: CopyRule | None
    copy: bool | None
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
    readers = open_real_music(dataset, REFERENCE_SPLITS, memory_bytes=memory_bytes)
    log_mel = audio_to_log_mel(read_audio(Path(audio), config), config)
    patches = patches_of(log_mel, config)
    if not len(patches.patches):
        raise TrainingError(
            f"{audio}: holds no audible second, so there is nothing to compare; choose another file"
        )
    frames = min(len(log_mel), config.window_frames)
    music = real_music(real_windows(list(readers.values()), MAX_WINDOWS), config, frames)
    windows = [log_mel[k : k + frames] for k in range(0, len(log_mel) - frames + 1, frames)]
    beside = _beside(windows, music)
    distances, rule = _copies(patches, readers["train"], np.array(run.mean_db), config)
    damaged_windows, damaged_count = damage(readers)
    return Comparison(
        audio=audio,
        windows=len(windows),
        frames=frames,
        real_windows=music.windows,
        average_precision=music.average_precision,
        **beside,
        nearest=(float(distances.min()), float(np.median(distances))),
        copy_rule=rule,
        copy=rule.is_copy(distances) if rule else None,
        damaged_windows=damaged_windows,
        damaged_count=damaged_count,
    )


def _beside(windows: Sequence[NDArray[Any]], music: RealMusic) -> dict[str, Any]:
    """The fields of a comparison that say whether windows [frames, n_mels] are like music."""
    measured = [music.ear.observe(each).measured for each in windows]
    medians = {name: float(np.median([each[name] for each in measured])) for name in measured[0]}
    if music.reference is None:
        unknown = dict.fromkeys(("intervals", "outside", "unlike_windows", "unlike"))
        return {"measures": medians, **unknown}
    unlike = sum(music.reference.verdict(each).unlike for each in measured)
    return {
        "measures": medians,
        "intervals": music.reference.intervals,
        "outside": music.reference.verdict(medians).outside,
        "unlike_windows": unlike,
        "unlike": 2 * unlike > len(windows),
    }


def _copies(
    patches: Patches, train: Reader, mean_db: NDArray[Any], config: FeatureConfig
) -> tuple[NDArray[np.float64], CopyRule | None]:
    """The distances of patches to the training split, and the rule, from one pass over it."""
    chosen = real_windows([train], CALIBRATION_WINDOWS)
    music = [patches_of(each.log_mel, config, each.recording_id) for each in chosen]
    copies = known_copies([each.log_mel for each in _longest(chosen, COPIED_WINDOWS)], config)
    own, *found = distances_to_training([patches, *music, *copies], valid_windows(train), mean_db)
    names = [each.recording_id for each in chosen]
    finite = [each[np.isfinite(each)] for each in found]
    of_music, of_copies = finite[: len(music)], finite[len(music) :]
    return own, copy_rule(list(zip(names, of_music, strict=True)), of_copies)


def _longest(windows: Sequence[RealWindow], count: int) -> list[RealWindow]:
    return sorted(windows, key=lambda each: -len(each.log_mel))[:count]
