"""Composed pieces beside real windows, by the measures of piano rolls."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from training.composing.measures import roll_measures
from training.composing.windows import Roll
from training.measures.reference import Interval, Reference, make_reference


@dataclasses.dataclass(frozen=True)
class RollJudgment:
    """Some windows beside real ones.

    `medians` are those of the measures over the windows; `outside` names those of them that are
    outside of the 5th to 95th percentile of real windows, and `unlike_windows` is the number of
    windows that are further from real music than 95 % of real windows. Both are None, which means
    unknown, where there are too few real windows.
    """

    windows: int
    medians: Mapping[str, float]
    outside: tuple[str, ...] | None
    unlike_windows: int | None


@dataclasses.dataclass(frozen=True, eq=False)
class RollJudge:
    """Judges windows of `frames` frames, whose first pitch is `lowest`, at `rate` frames/s.

    `reference` is what `real_windows` real windows measure, None where they are too few.
    """

    lowest: int
    rate: float
    real_windows: int
    reference: Reference | None

    @classmethod
    def of(
        cls, windows: Iterable[Roll], frames: int, pitches: tuple[int, int], rate: float
    ) -> RollJudge:
        """A judge by those of the real windows that have all `frames`."""
        measured = defaultdict(list)
        for window in windows:
            if len(window.notes) == frames:
                found = roll_measures(window.states(pitches), pitches[0], rate)
                measured[window.recording_id].append(found)
        count = sum(map(len, measured.values()))
        return cls(pitches[0], rate, count, make_reference(measured) if count else None)

    @property
    def intervals(self) -> Mapping[str, Interval] | None:
        return None if self.reference is None else self.reference.intervals

    def judge(self, windows: Iterable[NDArray[np.integer]]) -> RollJudgment | None:
        """Judges windows of states [frames, n_pitches]; None where there are none."""
        measured = [roll_measures(each, self.lowest, self.rate) for each in windows]
        if not measured:
            return None
        medians = {
            name: float(np.median([each[name] for each in measured])) for name in measured[0]
        }
        if self.reference is None:
            return RollJudgment(len(measured), medians, None, None)
        return RollJudgment(
            windows=len(measured),
            medians=medians,
            outside=self.reference.verdict(medians).outside,
            unlike_windows=sum(self.reference.verdict(each).unlike for each in measured),
        )
