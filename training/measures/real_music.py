"""Real music as the measures see it: what other sounds are held against."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.measures.observation import Ear, Observation, on_grid
from training.measures.reference import Reference, make_reference
from training.measures.transcriber import (
    FOLDS,
    Transcriber,
    TranscriberFit,
    average_precision,
    balanced_threshold,
    hidden_units,
)

SCORED_APART = 4
"""Transcribers are scored on every fourth frame: its neighbors say the same, and take memory."""


@dataclasses.dataclass(frozen=True, eq=False)
class RealWindow:
    """The valid frames of a window: `log_mel` [frames, n_mels] in dB, `notes` and `onsets`.

    These are [frames, 128], 0 or 1, and None in a dataset without them. `work` is what
    `schemas.works.work_of` gives for the recording.
    """

    recording_id: str
    work: tuple[str, ...]
    log_mel: NDArray[np.float32]
    notes: NDArray[np.uint8] | None
    onsets: NDArray[np.uint8] | None = None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RealMusic:
    """Windows of real music, observed, and the means to observe other sounds alike.

    Attributes:
        frames: The length of what is observed. Longer windows are cut, shorter ones left out.
        observations: Those of each recording's windows. Their notes are heard by a transcriber that
            was fitted to other works.
        reference: What lies within their measures; None, which means unknown, for too few windows.
        ear: What other sounds are observed with. Its transcriber was fitted to all recordings.
        average_precision: That of transcribers on the works that each was not fitted to; None,
            which means unknown, without labels.
    """

    frames: int
    observations: Mapping[str, Sequence[Observation]]
    reference: Reference | None
    ear: Ear
    average_precision: float | None

    @property
    def windows(self) -> int:
        """The number of windows that are observed."""
        return sum(map(len, self.observations.values()))


def real_music(windows: Sequence[RealWindow], config: FeatureConfig, frames: int) -> RealMusic:
    """Observes windows of real music. Transcribers are fitted to short windows as well."""
    works = sorted({each.work for each in windows})
    folds = {work: position % FOLDS for position, work in enumerate(works)}
    ears = _cross_fitted(windows, folds, config)
    observations: dict[str, list[Observation]] = {}
    for each in windows:
        if len(each.log_mel) >= frames:
            observed = ears.held_out[folds[each.work]].observe(each.log_mel[:frames])
            observations.setdefault(each.recording_id, []).append(observed)
    measured = {
        name: [each.measured for each in observed] for name, observed in observations.items()
    }
    return RealMusic(
        frames=frames,
        observations=observations,
        reference=make_reference(measured),
        ear=ears.whole,
        average_precision=ears.average_precision,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Ears:
    """One for each fold, whose transcriber was not fitted to it, and one fitted to all."""

    held_out: Sequence[Ear]
    whole: Ear
    average_precision: float | None


def _cross_fitted(
    windows: Sequence[RealWindow], folds: Mapping[tuple[str, ...], int], config: FeatureConfig
) -> _Ears:
    fit = TranscriberFit(config)
    labeled = [(folds[each.work], each) for each in windows if each.notes is not None]
    sounding = [each.notes for _, each in labeled if each.notes is not None]
    for (fold, each), notes in zip(labeled, sounding, strict=True):
        fit.add(on_grid(each.log_mel), notes, fold)
    if not labeled:
        deaf = Ear(config, None, 0.0)
        return _Ears([deaf] * FOLDS, deaf, None)
    held_out = [fit.transcriber(without=[fold]) for fold in range(FOLDS)]
    scores = np.concatenate([_scores(each, held_out[fold], config) for fold, each in labeled])
    notes = np.concatenate([each[::SCORED_APART] for each in sounding])
    threshold = balanced_threshold(notes, scores)
    return _Ears(
        [Ear(config, each, threshold) for each in held_out],
        Ear(config, fit.transcriber(), threshold),
        average_precision(notes, scores),
    )


def _scores(
    window: RealWindow, transcriber: Transcriber, config: FeatureConfig
) -> NDArray[np.float32]:
    return transcriber.scores(hidden_units(on_grid(window.log_mel), config)[::SCORED_APART])
