"""How a dataset differs from the earlier one whose windows it reuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from pipelines.planning.plan import Plan
from pipelines.recordings.inspection import Inspected
from pipelines.results import Reuse
from pipelines.reuse.contents import (
    Content,
    contents_of_dataset,
    contents_of_inspected,
    unchanged_ids,
)
from schemas import Dataset


@dataclasses.dataclass(frozen=True)
class DatasetState:
    """What a dataset is made of, and how: by the ids of its recordings.

    `windows` are how many each recording has, those that turn out to be bad included.
    """

    plan_digest: str
    contents: Mapping[str, Content]
    splits: Mapping[str, str]
    windows: Mapping[str, int]


def state_of_dataset(dataset: Dataset) -> DatasetState:
    """Raises `DatasetError` where a table is missing or damaged, or there is none of inputs."""
    rows = dataset.recordings(sound=True).to_pylist()
    used = [row for row in rows if row["split"]]
    return DatasetState(
        dataset.manifest.plan_digest,
        contents_of_dataset(dataset, rows),
        splits={row["recording_id"]: row["split"] for row in used},
        windows={row["recording_id"]: row["windows"] for row in used},
    )


def state_of_plan(plan: Plan, inspected: Iterable[Inspected]) -> DatasetState:
    """Of the dataset that a run will make."""
    ids, splits = plan.recording_ids, plan.recordings["split"].to_pylist()
    return DatasetState(
        plan.digest,
        contents_of_inspected(inspected, plan.config),
        splits={name: split for name, split in zip(ids, splits, strict=True) if split},
        windows={each.source.recording_id: each.row.get("windows", 0) for each in inspected},
    )


def compare(dataset: str, earlier: DatasetState, now: DatasetState, windows: int | None) -> Reuse:
    """How `now` differs from `earlier`, which is in `dataset`, where `windows` were copied."""
    both = set(now.splits) & set(earlier.splits)
    unchanged = unchanged_ids(now.contents, earlier.contents)
    return Reuse(
        dataset=dataset,
        same_plan=now.plan_digest == earlier.plan_digest,
        unchanged=len(unchanged),
        changed=len(both - unchanged),
        added=len(set(now.splits) - both),
        removed=len(set(earlier.splits) - both),
        moved=sum(now.splits[name] != earlier.splits[name] for name in both),
        unchanged_windows=sum(now.windows[name] for name in unchanged),
        windows=windows,
    )
