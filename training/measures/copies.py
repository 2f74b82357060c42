"""Is a sound a copy of training music? A threshold between copies and other music, by rule."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.inversion import audio_to_log_mel, mel_to_audio
from training.novelty import excerpts_of, nearest_distances

PATCH_SECONDS = 1.0

MAX_PATCHES = 40
"""At most this many patches of a recording are searched for, evenly spread over it."""

AUDIBLE_RANGE_DB = 40.0
"""A patch is silence where nothing in it comes this near to its recording's greatest level."""


@dataclasses.dataclass(frozen=True)
class CopyRule:
    """What counts as a copy: a patch nearer to the training music than `threshold`.

    Attributes:
        threshold: The geometric mean of the other two distances, which leaves each the same margin.
        nearest_music: The least distance of other real recordings' patches.
        farthest_copy: The greatest distance of known copies' patches.
        recordings: The number of recordings that `nearest_music` is the least of.
    """

    threshold: float
    nearest_music: float
    farthest_copy: float
    recordings: int

    @property
    def false_alarm_bound(self) -> float:
        """The chance that another recording comes nearer than `nearest_music`, 1 / (n + 1).

        It holds for recordings that are exchangeable. The threshold is lower, so false alarms are
        rarer than this.
        """
        return 1 / (self.recordings + 1)

    def is_copy(self, distances: NDArray[Any]) -> bool:
        """Whether any of the distances (see `patch_distances`), from 0 to 2, is a copy's."""
        return bool((distances < self.threshold).any())


def copy_rule(music: Mapping[str, NDArray[Any]], copies: Sequence[NDArray[Any]]) -> CopyRule | None:
    """The rule, from the distances of real recordings' patches and of known copies' patches.

    `music` are those of `music_distances`, by recording, and `copies` those of `resynthesized`
    training music. Nothing in it is tuned. Returns None, which means unknown, where one of them is
    empty or the two overlap: then the distance does not tell copies from music.

    Examples:
        >>> rule = copy_rule({"one": np.array([0.4, 0.6]), "two": np.array([0.5])},
        ...                  [np.array([0.01, 0.1])])
        >>> rule.threshold, rule.false_alarm_bound
        (0.2, 0.3333333333333333)
    """
    minima = [float(distances.min()) for distances in music.values() if len(distances)]
    maxima = [float(distances.max()) for distances in copies if len(distances)]
    if not minima or not maxima or max(maxima) >= min(minima):
        return None
    nearest, farthest = min(minima), max(max(maxima), 0.0)
    return CopyRule(math.sqrt(nearest * farthest), nearest, farthest, len(minima))


def patches_of(windows: Sequence[NDArray[Any]], config: FeatureConfig) -> NDArray[np.float32]:
    """The patches of one recording's windows, float32 [patches, frames of a second, n_mels].

    They follow one another and are thinned out evenly to `MAX_PATCHES` at most. Which are silent
    is relative to the recording, so a gain changes nothing.
    """
    frames = round(PATCH_SECONDS * config.frames_per_second)
    loudest = max((float(window.max()) for window in windows if window.size), default=0.0)
    every = list(excerpts_of(windows, frames, loudest - AUDIBLE_RANGE_DB))
    if not every:
        return np.empty((0, frames, config.n_mels), np.float32)
    positions = np.linspace(0, len(every) - 1, min(len(every), MAX_PATCHES)).round().astype(int)
    return np.stack([every[position] for position in positions]).astype(np.float32)


def patch_distances(
    windows: Sequence[NDArray[Any]],
    training: Iterable[NDArray[Any]],
    mean_db: NDArray[Any],
    config: FeatureConfig,
) -> NDArray[np.float64]:
    """How near each patch of a recording's `windows` comes to any position in `training`.

    The distance is `novelty.nearest_distances`, 1 - r of spectra without their envelopes: from 0
    to 2, whatever the gain and the number of frames between the two. float64 [patches].
    """
    patches = patches_of(windows, config)
    if not len(patches):
        return np.empty(0)
    return nearest_distances(patches, training, mean_db)


def music_distances(
    recordings: Mapping[str, Sequence[NDArray[Any]]],
    training: Collection[str],
    mean_db: NDArray[Any],
    config: FeatureConfig,
) -> dict[str, NDArray[np.float64]]:
    """The `patch_distances` of each recording to the *other* recordings named in `training`.

    Each training recording is treated as if it had been held out.
    """
    return {
        name: patch_distances(
            windows,
            (each for other in training if other != name for each in recordings[other]),
            mean_db,
            config,
        )
        for name, windows in recordings.items()
    }


def resynthesized(
    log_mel: NDArray[Any],
    config: FeatureConfig,
    *,
    delay_samples: int = 0,
    gain_db: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """The spectrogram of the sound that `log_mel` is turned into: a known copy, to calibrate with.

    The sound begins `delay_samples` later, which need not be whole frames, and is `gain_db` louder.
    Frames that reach beyond either end of the sound are left out: float32 [fewer frames, n_mels].
    """
    length = (len(log_mel) - 1) * config.hop_length
    samples = mel_to_audio(log_mel, config, length=length, seed=seed)
    amplitude = np.float32(10 ** (gain_db / 20))
    again = audio_to_log_mel(samples[delay_samples:] * amplitude, config)
    edge = math.ceil(config.n_fft / 2 / config.hop_length)
    return again[edge : len(again) - edge]
