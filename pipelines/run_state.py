"""What an unfinished run remembers in the folder that it builds: its plan, input and rejects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.build_folder import (
    CLAIM_FILE,
    REJECTS_SO_FAR,
    RUN_FILE,
    require_unpublished,
    starting_over,
)
from pipelines.errors import PipelineError
from schemas import FeatureConfig, Storage
from schemas.checksums import canonical_json
from schemas.rejects import Reject, rejects_table
from schemas.tables import REJECTS, table_bytes, table_from_bytes


def remember_run(
    storage: Storage, input_root: str, features: FeatureConfig, rejects: Sequence[Reject]
) -> None:
    """Keeps what a run reads, makes and rejects, so that it can be looked into when it fails."""
    run = {"input": input_root, "features": features.to_dict()}
    storage.write_bytes(RUN_FILE, canonical_json(run))
    remember_rejects(storage, rejects)


def remember_rejects(storage: Storage, rejects: Sequence[Reject]) -> None:
    """Keeps what was rejected so far, so that it can be read after a run that failed."""
    storage.write_bytes(REJECTS_SO_FAR, table_bytes(rejects_table(rejects)))


def unfinished_rejects(storage: Storage) -> tuple[str, FeatureConfig, pa.Table] | None:
    """The input, the features and the rejects of a run that did not finish here; None without."""
    if not storage.exists(RUN_FILE) or not storage.exists(REJECTS_SO_FAR):
        return None
    run = _read_json(storage, RUN_FILE)
    where = storage.path(REJECTS_SO_FAR)
    features = FeatureConfig.from_dict(run["features"], where=storage.path(RUN_FILE))
    table = table_from_bytes(storage.read_bytes(REJECTS_SO_FAR), REJECTS, where=where)
    return run["input"], features, table


def claim_plan(storage: Storage, plan: Mapping[str, Any]) -> None:
    """Makes `plan` the one that is worked on here.

    Raises `PipelineError` if it is another, or if a dataset is here already.
    """
    require_claimable(storage, plan)
    if storage.exists(CLAIM_FILE):
        return
    # Another host's run, which no lock here keeps out, may have come to its end by now.
    require_unpublished(storage)
    storage.write_bytes(CLAIM_FILE, json.dumps(plan, sort_keys=True, indent=1).encode())


def require_claimable(storage: Storage, plan: Mapping[str, Any]) -> None:
    """Raises `PipelineError` if another plan than `plan` is worked on here."""
    if read_claim(storage) not in (None, plan):
        raise PipelineError(
            f"{storage.root}: holds the unfinished work of another run, with another "
            f"configuration or other inputs; finish that one, {starting_over(storage)}, or choose "
            "another output"
        )


def read_claim(storage: Storage) -> dict[str, Any] | None:
    """The plan that is worked on, as it was claimed; None before there is one."""
    if not storage.exists(CLAIM_FILE):
        return None
    return _read_json(storage, CLAIM_FILE)


def _read_json(storage: Storage, name: str) -> dict[str, Any]:
    try:
        return json.loads(storage.read_bytes(name))
    except (ValueError, RecursionError):
        again = (
            "make the dataset again with overwrite=True"
            if storage.is_local
            else "remove the folder, then make the dataset again"
        )
        raise PipelineError(f"{storage.path(name)}: was damaged; {again}") from None
