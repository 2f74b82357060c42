"""Where the samples of a recording went: none is lost without a figure that says so."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from schemas import FeatureConfig
from schemas.reject_reasons import WHOLE_RECORDING_STAGES
from schemas.rejects import reason_of

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Account:
    """Samples at the feature rate, of one recording or of many; each is counted once.

    Of `total`, `stored` are in windows, `rejected` only in windows that were rejected, and
    `dropped` in none, since `tail="drop"` left them out; `lost` are in none of these, though they
    should be. `padding` is what windows hold beyond a recording's end, outside of `total`.
    """

    total: int = 0
    stored: int = 0
    rejected: int = 0
    dropped: int = 0
    padding: int = 0
    lost: int = 0

    @property
    def balances(self) -> bool:
        """Whether every sample is accounted for, and none twice."""
        return not self.lost and self.total == self.stored + self.rejected + self.dropped

    def __str__(self) -> str:
        return (
            f"{self.total:,} samples: {self.stored:,} in windows, {self.rejected:,} in rejected "
            f"windows, {self.dropped:,} dropped"
        )


def account(
    length: int,
    *,
    stored: Collection[int],
    rejected: Collection[int],
    dropped: int,
    config: FeatureConfig,
) -> Account:
    """The account of a recording of `length` samples at the feature rate.

    `stored` and `rejected` are the first frames of its windows; frame i starts at sample
    i * hop_length. `dropped` is said to be missing at its end.
    """
    hop, size = config.hop_length, config.window_frames * config.hop_length
    kept = [frame * hop for frame in stored]
    every = [*kept, *(frame * hop for frame in rejected)]
    in_windows = _covered(kept, size, length)
    kept_end = max(0, length - dropped)
    return Account(
        total=length,
        stored=in_windows,
        rejected=_covered(every, size, length) - in_windows,
        dropped=dropped,
        padding=_covered(kept, size, max(kept, default=0) + size) - in_windows,
        lost=kept_end - _covered(every, size, kept_end),
    )


def add_up(accounts: Iterable[Account]) -> Account:
    """One account of many recordings."""
    rows = [dataclasses.astuple(each) for each in accounts]
    return Account(*map(sum, zip(*rows, strict=True)))


def accounts_of(
    recordings: Iterable[Row],
    stored: Iterable[tuple[str, int]],
    rejected: Iterable[tuple[str, int]],
    config: FeatureConfig,
) -> dict[str, Account]:
    """The account of each recording that is in a split, by its id.

    `recordings` are rows of `tables.RECORDINGS`; windows are given by recording_id and first frame.
    """
    stored_of, rejected_of = _by_recording(stored), _by_recording(rejected)
    return {
        row["recording_id"]: account(
            config.resampled_length(row["samples"], row["sample_rate"]),
            stored=stored_of[row["recording_id"]],
            rejected=rejected_of[row["recording_id"]],
            dropped=row["dropped_samples"],
            config=config,
        )
        for row in recordings
        if row["split"]
    }


def rejected_windows(rejects: Iterable[Row]) -> list[tuple[str, int]]:
    """The windows among rows of `tables.REJECTS`, by recording_id and first frame."""
    return [(row["recording_id"], row["position"]) for row in rejects if row["stage"] == "window"]


def rejected_recordings(rejects: Iterable[Row]) -> set[str]:
    """The recordings that rows of `tables.REJECTS` say were rejected as a whole."""
    return {
        row["recording_id"]
        for row in rejects
        if row["stage"] in WHOLE_RECORDING_STAGES
        and row["position"] is None
        and not reason_of(row["reason"]).is_notice
    }


def _by_recording(windows: Iterable[tuple[str, int]]) -> defaultdict[str, list[int]]:
    first_frames: defaultdict[str, list[int]] = defaultdict(list)
    for recording_id, first_frame in windows:
        first_frames[recording_id].append(first_frame)
    return first_frames


def _covered(starts: Collection[int], size: int, end: int) -> int:
    """How many of the samples 0 to `end` - 1 lie in a run of `size` that begins at a start."""
    count = reached = 0
    for start in sorted(starts):
        stop = min(start + size, end)
        count += max(0, stop - max(start, reached))
        reached = max(reached, stop)
    return count
