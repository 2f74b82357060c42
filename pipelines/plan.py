"""The plan: which windows there are, and which of them stands where.

Windows of a split are numbered recording by recording, in the order of ids. A keyed permutation
says which window stands at which place, and a shard holds a run of places. So a worker that has
the plan and a shard's number knows its windows, and nothing needs to be shuffled.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.errors import PipelineError
from pipelines.inspection import Inspected
from pipelines.splits import split_recordings
from schemas import FeatureConfig, permutation_key, permute
from schemas.checksums import canonical_json, sha256
from schemas.shards import SPLITS, Reject, shard_bounds
from schemas.tables import RECORDINGS

ALWAYS_ALLOWED_REJECTS = 3


@dataclasses.dataclass(frozen=True)
class PlannedWindow:
    """One window and the recording that it is cut from (a row number of `Plan.recordings`)."""

    recording: int
    first_frame: int
    valid_frames: int


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """All that is known before the first shard is written; the same for every worker.

    `recordings` is a table of `tables.RECORDINGS`, sorted by id, without what shards will count;
    `shards` and `windows` hold their number for each split.
    """

    config: FeatureConfig
    seed: int
    recordings: pa.Table
    windows: Mapping[str, int]
    shards: Mapping[str, int]
    rejects: tuple[Reject, ...]

    @functools.cached_property
    def digest(self) -> str:
        """Says what is to be made: of two runs with one digest, either can finish the other."""
        columns = ["recording_id", "split", "path", "samples", "sample_rate", "channels", "windows"]
        rows = self.recordings.select(columns).to_pylist()
        shards = [self.shards[split] for split in SPLITS]
        return sha256(canonical_json([self.config.to_dict(), self.seed, shards, rows]))

    def shard_windows(self, split: str, number: int) -> list[PlannedWindow]:
        """The windows of a shard, in file order."""
        rows, first_windows = self._numbering(split)
        start, stop = shard_bounds(number, self.shards[split], self.windows[split])
        key = permutation_key("place", split, self.seed)
        windows = permute(np.arange(start, stop), self.windows[split], key)
        recordings = rows[np.searchsorted(first_windows, windows, side="right") - 1]
        frames = self.recordings["frames"].to_numpy()
        first = windows - first_windows[np.searchsorted(rows, recordings)]
        first = first * self.config.stride_frames
        valid = np.minimum(self.config.window_frames, frames[recordings] - first)
        return [
            PlannedWindow(int(recording), int(first_frame), int(valid_frames))
            for recording, first_frame, valid_frames in zip(recordings, first, valid, strict=True)
        ]

    def _numbering(self, split: str) -> tuple[Any, Any]:
        """Row numbers of a split's recordings, and the number of each one's first window."""
        rows = np.flatnonzero(self.recordings["split"].to_numpy(zero_copy_only=False) == split)
        counts = self.recordings["windows"].to_numpy(zero_copy_only=False)[rows].astype(np.int64)
        rows, counts = rows[counts > 0], counts[counts > 0]
        return rows, np.cumsum(counts) - counts


def make_plan(
    inspected: Sequence[Inspected],
    listing_rejects: Sequence[Reject],
    config: FeatureConfig,
    *,
    seed: int,
    shard_bytes: int,
    max_rejects: float,
) -> Plan:
    """Sorts what was inspected and counts windows and shards.

    Raises `PipelineError` when more recordings were refused than `max_rejects` allows, or when
    nothing is left.
    """
    inspected = sorted(inspected, key=lambda each: each.source.recording_id.encode())
    rejects = [*listing_rejects, *(reject for each in inspected for reject in each.rejects)]
    accepted = [each for each in inspected if each.accepted]
    unlisted = {reject.recording_id for reject in listing_rejects if reject.recording_id}
    refused = len(inspected) - len(accepted) + len(unlisted)
    check_rejects(rejects, refused, len(inspected) + len(unlisted), max_rejects)
    splits = split_recordings([(each.row, each.source.group) for each in accepted], seed=seed)
    rows = [{**each.row, "split": splits.get(each.source.recording_id)} for each in inspected]
    table = pa.Table.from_pylist([_with_drops(row, config) for row in rows], RECORDINGS)
    windows = {
        split: sum(row["windows"] for row in rows if row["split"] == split) for split in SPLITS
    }
    if not any(windows.values()):
        raise PipelineError(
            f"no recording fills a window of {config.window_frames} frames; "
            "choose a smaller window_frames or tail 'pad'"
        )
    shards = {
        split: -(-count * config.window_bytes // shard_bytes) for split, count in windows.items()
    }
    shards = {split: min(shards[split], windows[split]) for split in SPLITS}
    return Plan(config, seed, table, windows, shards, tuple(rejects))


def check_rejects(
    rejects: Sequence[Reject], refused: int, recordings: int, max_rejects: float
) -> None:
    """Raises `PipelineError`, naming the first offenders, where too much was refused."""
    allowed = max(ALWAYS_ALLOWED_REJECTS, int(max_rejects * recordings))
    if refused <= allowed and refused < recordings:
        return
    shown = "".join(f"\n  {reject.reason}: {reject.message}" for reject in rejects[:5])
    raise PipelineError(
        f"{refused} of {recordings} recordings cannot be used, {allowed} are allowed:{shown}"
        f"{chr(10) + '  ...' if len(rejects) > 5 else ''}\n"
        "mend or remove them"
    )


def _with_drops(row: Mapping[str, Any], config: FeatureConfig) -> dict[str, Any]:
    """Adds the samples, at the feature rate, that lie in no window."""
    if row["status"] != "ok":
        return dict(row)
    length = config.resampled_length(row["samples"], row["sample_rate"])
    windows = row["windows"]
    end_frame = (windows - 1) * config.stride_frames + config.window_frames if windows else 0
    return {**row, "dropped_samples": max(0, length - end_frame * config.hop_length)}
