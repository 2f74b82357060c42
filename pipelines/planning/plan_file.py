"""The plan as a file beside the shards, to which elements of the graph only refer.

So its size is no engine's concern, and each process reads it once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from musicnet_duet.concurrency import computed_once
from pipelines.build_folder import PLAN_TABLE
from pipelines.errors import PipelineError
from pipelines.planning.plan import HEADER_COLUMNS, PLANNED, Plan
from schemas import FeatureConfig, Storage
from schemas.checksums import sha256
from schemas.rejects import Reject
from schemas.tables import table_bytes, table_from_bytes

_WRITERS_COLUMNS = (
    *("recording_id", "split", "path", "frames", "windows", "unchanged"),
    *HEADER_COLUMNS,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanFile:
    """A plan whose table is in `PLAN_TABLE`, a file with this sha256.

    The digest is of all the rest but the rejects, which are those of its table.
    """

    sha256: str
    digest: str
    config: FeatureConfig = dataclasses.field(compare=False)
    seed: int = dataclasses.field(compare=False)
    shards: Mapping[str, int] = dataclasses.field(compare=False)
    rejects: tuple[Reject, ...] = dataclasses.field(compare=False)


def write_plan(storage: Storage, plan: Plan) -> PlanFile:
    """Writes the table of a plan, unless an earlier attempt has done so."""
    data = table_bytes(plan.recordings)
    if not storage.exists(PLAN_TABLE) or storage.read_bytes(PLAN_TABLE) != data:
        storage.write_bytes(PLAN_TABLE, data)
    return PlanFile(
        sha256=sha256(data),
        digest=plan.digest,
        config=plan.config,
        seed=plan.seed,
        shards=plan.shards,
        rejects=plan.rejects,
    )


def read_plan(storage: Storage, file: PlanFile, columns: Sequence[str] | None = None) -> Plan:
    """The plan, or one with some columns of its table.

    Raises `PipelineError` for another file, and `UnreadableFileError` where there is none.
    """
    data, where = storage.read_bytes(PLAN_TABLE), storage.path(PLAN_TABLE)
    if sha256(data) != file.sha256:
        raise PipelineError(f"{where}: was changed during the run; start the run again")
    table = table_from_bytes(data, PLANNED, where=where, columns=columns).combine_chunks()
    return Plan(
        config=file.config,
        seed=file.seed,
        recordings=table,
        shards=file.shards,
        digest=file.digest,
        rejects=file.rejects,
    )


@computed_once
def writers_plan(build_root: str, file: PlanFile) -> Plan:
    """The plan with what writing shards needs, which a process reads once."""
    return read_plan(Storage(build_root), file, _WRITERS_COLUMNS)
