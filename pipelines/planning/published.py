"""The plan of a dataset that was published."""

from __future__ import annotations

from pipelines.planning.plan import Plan, plan_digest
from schemas import Dataset


def published_plan(dataset: Dataset) -> Plan:
    """The plan by which a dataset was made, from what it says of itself.

    Raises `DatasetError` where its table of recordings is missing or damaged.
    """
    recordings = dataset.recordings()
    shards = {name: split.shards for name, split in dataset.manifest.splits.items()}
    manifest = dataset.manifest
    digest = plan_digest(manifest.config, manifest.seed, shards, recordings)
    return Plan(
        config=manifest.config,
        seed=manifest.seed,
        recordings=recordings,
        shards=shards,
        digest=digest,
        rejects=(),
    )
