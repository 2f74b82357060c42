"""What a run must have in common with another one whose work it finishes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.planning.plan import Plan
from pipelines.recordings.inspection import Inspected
from schemas.checksums import canonical_json, sha256


def claim_of(
    plan: Plan,
    inspected: Iterable[Inspected],
    *,
    formats: Sequence[str],
    packages: Mapping[str, str],
) -> dict[str, Any]:
    """The claim of a plan for `run_state.claim_plan`, JSON-ready."""
    versions = sorted(
        (each.source.audio_path, each.version, each.labels and each.labels.sha256)
        for each in inspected
    )
    return {
        "plan_digest": plan.digest,
        "inputs_digest": sha256(canonical_json(versions)),
        "formats": list(formats),
        "packages": dict(packages),
        "windows": dict(plan.windows),
        "shards": dict(plan.shards),
    }
