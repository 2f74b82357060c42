"""What the finished shards of a plan add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines.planning.plan import Plan
from schemas.shards import ShardReport
from schemas.statistics import Statistics
from schemas.tables import RECORDINGS


def finished_recordings(plan: Plan, reports: Sequence[ShardReport]) -> pa.Table:
    """`plan.recordings` with what the shards counted; reports of one format, in any order."""
    clipped: Counter[str] = Counter()
    partial = set()
    for report in reports:
        clipped.update(report.clipped)
        partial |= {reject.recording_id for reject in report.rejects}
    rows = plan.recordings.select(RECORDINGS.names).to_pylist()
    for row in rows:
        if row["split"]:
            row["clipped_samples"] = clipped[row["recording_id"]]
            row["status"] = "partial" if row["recording_id"] in partial else "ok"
    return pa.Table.from_pylist(rows, RECORDINGS)


def training_statistics(plan: Plan, reports: Mapping[str, ShardReport]) -> Statistics | None:
    """The training shards' statistics, added in the order of the shards."""
    parts = [report.statistics for name, report in reports.items() if name.startswith("train/")]
    if "log_mel" not in plan.config.features:
        return None
    return Statistics.merge([part for part in parts if part], plan.config.n_mels)
