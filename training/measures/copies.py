"""Is a sound a copy of training music? A threshold between copies and other music, by rule."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.inversion import audio_to_log_mel, mel_to_audio
from training.novelty import PatchSearch

PATCH_SECONDS = 1.0

AUDIBLE_RANGE_DB = 40.0
"""A patch is silence where nothing in it comes this near to its sound's greatest level."""

ABOVE_FLOOR_DB = 20.0
"""Nor is a patch heard that does not exceed the features' floor by this much."""

COPIED_SECONDS = 4.0
DELAYS_IN_HOPS = (0.5, 3.25)
GAINS_DB = (0.0, -20.0)
"""The known copies: excerpts that begin at other samples than a frame does, at two loudnesses."""


@dataclasses.dataclass(frozen=True, eq=False)
class Patches:
    """The audible seconds of one sound, float32 [patches, frames of a second, n_mels].

    `recording_id` names the recording that they are of, which they are not compared with.
    """

    recording_id: str | None
    patches: NDArray[np.float32]


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
        """Whether any of the distances (see `distances_to_training`) is a copy's."""
        return bool((distances < self.threshold).any())


def copy_rule(
    music: Sequence[tuple[str, NDArray[Any]]], copies: Sequence[NDArray[Any]]
) -> CopyRule | None:
    """The rule, from the distances of real recordings' patches and of known copies' patches.

    `music` are pairs of a recording and distances to the training music of other recordings, as if
    it had been held out; `copies` those of `known_copies`. Nothing in it is tuned. Returns None,
    which means unknown, where one of them is empty or the two overlap: then the distance does not
    tell copies from music.

    Examples:
        >>> rule = copy_rule([("one", np.array([0.4, 0.6])), ("two", np.array([0.5]))],
        ...                  [np.array([0.01, 0.1])])
        >>> rule.threshold, rule.false_alarm_bound
        (0.2, 0.3333333333333333)
    """
    minima = [float(distances.min()) for _, distances in music if len(distances)]
    maxima = [float(distances.max()) for distances in copies if len(distances)]
    if not minima or not maxima or max(maxima) >= min(minima):
        return None
    nearest, farthest = min(minima), max(0.0, max(maxima))
    recordings = len({name for name, distances in music if len(distances)})
    return CopyRule(math.sqrt(nearest * farthest), nearest, farthest, recordings)


def patches_of(
    log_mel: NDArray[Any], config: FeatureConfig, recording_id: str | None = None
) -> Patches:
    """The patches of one sound, `log_mel` [frames, n_mels] in dB; they follow one another.

    An excerpt of two seconds, wherever it begins, thus contains a whole patch.
    Which are silent is relative to the sound, so a gain changes nothing above the features' floor.
    """
    frames = _patch_frames(config)
    count = len(log_mel) // frames
    every = log_mel[: count * frames].reshape(count, frames, log_mel.shape[1])
    loudest = every.max(axis=(1, 2), initial=-math.inf)
    audible_db = max(
        loudest.max(initial=-math.inf) - AUDIBLE_RANGE_DB, config.floor_db + ABOVE_FLOOR_DB
    )
    return Patches(recording_id, every[loudest >= audible_db].astype(np.float32))


def distances_to_training(
    sounds: Sequence[Patches],
    training: Iterable[tuple[str, NDArray[Any]]],
    mean_db: NDArray[Any],
) -> list[NDArray[np.float64]]:
    """How near each patch of each sound comes to any position in the training music.

    `training` are pairs of a recording and a window [any, n_mels] of it, read once. The distance is
    that of `PatchSearch`, from 0 to 2, whatever the gain and the number of frames between the two;
    infinite where there is nothing to compare with. A list of float64 [patches].
    """
    stacked = np.concatenate([each.patches for each in sounds])
    counts = [len(each.patches) for each in sounds]
    owners = np.repeat(np.array([each.recording_id for each in sounds], object), counts)
    nearest = np.full(len(stacked), np.inf)
    search = PatchSearch(stacked, mean_db)
    for name, window in training:
        np.minimum(nearest, search.distances(window), out=nearest, where=owners != name)
    return np.split(nearest, np.cumsum(counts)[:-1])


def known_copies(
    windows: Sequence[NDArray[Any]], config: FeatureConfig, *, seed: int = 0
) -> list[Patches]:
    """Patches of excerpts of training windows [frames, n_mels] that became sound and came back.

    Windows that are too short to leave a patch are left out.
    """
    least = _patch_frames(config) + 2 * _edge_frames(config) + math.ceil(max(DELAYS_IN_HOPS))
    return [
        patches_of(
            resynthesized(
                window[: max(least, round(COPIED_SECONDS * config.frames_per_second))],
                config,
                delay_samples=round(hops * config.hop_length),
                gain_db=gain_db,
                seed=seed,
            ),
            config,
        )
        for window in windows
        if len(window) >= least
        for hops, gain_db in zip(DELAYS_IN_HOPS, GAINS_DB, strict=True)
    ]


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
    edge = _edge_frames(config)
    return again[edge : len(again) - edge]


def _patch_frames(config: FeatureConfig) -> int:
    return max(1, round(PATCH_SECONDS * config.frames_per_second))


def _edge_frames(config: FeatureConfig) -> int:
    """The frames at either end of a sound that reach beyond it."""
    return math.ceil(config.n_fft / 2 / config.hop_length)
