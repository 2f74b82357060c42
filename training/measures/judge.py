"""Is a set of windows like real music, as a set?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measures.discrepancy import Discrepancy, RealHalves
from training.measures.observation import Observation
from training.measures.pitches import pitch_class_histogram, polyphony_histogram
from training.measures.real_music import RealMusic
from training.measures.reference import Reference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgment:
    """A set of windows beside real music.

    None means unknown: there is too little real music or, for pitch classes and polyphony, no
    transcriber.

    Attributes:
        windows: The number of windows.
        medians: The median over the windows of each measure.
        outside: The measures whose median is outside of the 5th to 95th percentile of real windows.
        unlike_windows: The number of windows that the reference calls unlike music.
        measures: The discrepancy of the windows' measures from those of real windows.
        embeddings: The discrepancy of the embeddings of their seconds. A gain does not change it.
        unlike: Whether one of the two exceeds what real music has to itself.
        pitch_classes: The share of each pitch class, C first, of all that sounds, [12].
        polyphony_shares: The shares of frames in which 0, 1, ... notes sound, the last of them for
            as many or more.
    """

    windows: int
    medians: Mapping[str, float]
    outside: tuple[str, ...] | None
    unlike_windows: int | None
    measures: Discrepancy | None
    embeddings: Discrepancy | None
    unlike: bool | None
    pitch_classes: tuple[float, ...] | None
    polyphony_shares: tuple[float, ...] | None


class Judge:
    """Judges sets of `count` windows beside real music, all by the same draws of real music."""

    def __init__(self, music: RealMusic, count: int) -> None:
        self._music = music
        self._halves: tuple[RealHalves, RealHalves] | None = None
        if music.reference is not None:
            rows = {
                name: [_rows(each, music.reference) for each in observed]
                for name, observed in music.observations.items()
            }
            of_measures, of_embeddings = (
                RealHalves(
                    {name: [each[part] for each in windows] for name, windows in rows.items()},
                    count=count,
                )
                for part in range(2)
            )
            self._halves = of_measures, of_embeddings

    def judge(self, log_mels: Sequence[NDArray[Any]]) -> Judgment:
        """Judges spectrograms [frames, n_mels] in dB, two or more, as long as the real windows."""
        observed = [self._music.ear.observe(each) for each in log_mels]
        heard = [each.notes for each in observed if each.notes is not None]
        notes = np.concatenate(heard) if heard else None
        names = observed[0].measured
        judgment = Judgment(
            windows=len(observed),
            medians={
                name: float(np.median([each.measured[name] for each in observed])) for name in names
            },
            outside=None,
            unlike_windows=None,
            measures=None,
            embeddings=None,
            unlike=None,
            pitch_classes=None if notes is None else tuple(pitch_class_histogram(notes).tolist()),
            polyphony_shares=None if notes is None else tuple(polyphony_histogram(notes).tolist()),
        )
        reference = self._music.reference
        if reference is None or self._halves is None:
            return judgment
        rows = [_rows(each, reference) for each in observed]
        by_measures, by_embeddings = (
            halves.discrepancy([each[part] for each in rows])
            for part, halves in enumerate(self._halves)
        )
        return dataclasses.replace(
            judgment,
            outside=reference.verdict(judgment.medians).outside,
            unlike_windows=sum(reference.verdict(each.measured).unlike for each in observed),
            measures=by_measures,
            embeddings=by_embeddings,
            unlike=by_measures.unlike or by_embeddings.unlike,
        )


def _rows(
    observed: Observation, reference: Reference
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Of a window: its measures in widths of their intervals [1, measures], and its embedding."""
    widths = {name: each.high - each.low or 1.0 for name, each in reference.intervals.items()}
    measured = [observed.measured[name] / width for name, width in widths.items()]
    return np.array([measured]), observed.embedding
