"""The steps of a run as plain functions: what Beam's graph joins, and any process can call.

A step raises `PipelineError`, `DatasetError` or `StoreError`; an engine may then repeat it, and it
finds what was finished. This module is imported by worker processes, and does not import Beam.
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Iterable, Mapping

from pipelines.engine.versions import numeric_versions, require_versions
from pipelines.errors import PipelineError, TooManyRejectsError
from pipelines.planning.claim import claim_of
from pipelines.planning.plan import PlanOptions, make_plan
from pipelines.planning.plan_file import PlanFile, read_plan, write_plan, writers_plan
from pipelines.recordings.digests import with_audio_digest
from pipelines.recordings.inspection import Inspected
from pipelines.recordings.source import Source
from pipelines.reuse.contents import contents_of_dataset, contents_of_inspected, unchanged_ids
from pipelines.reuse.earlier import EarlierDataset, require_reusable
from pipelines.run_state import claim_plan, read_claim, remember_run
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.publish import publish, require_unchanged
from pipelines.writing.shard_writer import Effort, ShardJob, WrittenShard, write_shard
from schemas import FeatureConfig, Storage
from schemas.rejects import Reject
from schemas.shards import SPLITS


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run of `WriteShards`: what to read, what to make of it, and where.

    Attributes:
        input_root: The folder or URL with the recordings.
        output: The dataset, as messages name it.
        build_root: The folder in which the dataset is built; the output unless it is given.
        plan: How recordings become windows, shards and splits.
        formats: The file formats of the shards: "tfrecord", "hdf5" or both.
        packages: The versions of packages on which the bytes depend; workers must have the same.
        threads: The number of threads on which a worker computes.
        earlier: A dataset whose windows are reused, for recordings that did not change since.
        local_name: The name of a run of `preprocess` on this machine; empty for other pipelines.

    Examples:
        >>> from pipelines import PlanOptions, RunConfig
        >>> from schemas import PRESETS
        >>> plan = PlanOptions(features=PRESETS["librosa"])
        >>> RunConfig(input_root="musicnet", output="new", plan=plan).build_root
        'new'
    """

    input_root: str
    output: str
    build_root: str = ""
    plan: PlanOptions
    formats: tuple[str, ...] = ("tfrecord",)
    packages: Mapping[str, str] = dataclasses.field(default_factory=numeric_versions)
    threads: int = 1
    earlier: EarlierDataset | None = None
    local_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "build_root", self.build_root or self.output)


def inspect_source(
    source: Source, *, input_root: str, build_root: str, features: FeatureConfig
) -> tuple[Inspected, float]:
    """Inspects one recording, also its bytes, and keeps its labels; and the seconds it took."""
    started = time.perf_counter()
    inspected = inspect_and_keep(source, input_root, build_root, features)
    inspected = with_audio_digest(inspected, input_root)
    return inspected, time.perf_counter() - started


def plan_run(run: RunConfig, inspected: Iterable[Inspected], rejects: Iterable[Reject]) -> PlanFile:
    """Makes the plan, claims the output for it, and writes it down."""
    require_versions(run.packages)
    inspected, rejects = list(inspected), list(rejects)
    storage = Storage(run.build_root)
    found = [*rejects, *(reject for each in inspected for reject in each.rejects)]
    try:
        plan = make_plan(inspected, rejects, run.plan, unchanged=_unchanged(run, inspected))
    except TooManyRejectsError as error:
        if read_claim(storage) is not None:
            raise  # What is remembered there is another run's.
        remember_run(storage, run.input_root, run.plan.features, found)
        raise _with_listing(error, run) from None
    claim_plan(storage, claim_of(plan, inspected, formats=run.formats, packages=run.packages))
    # Not before: what another run remembers here stays if this one may not begin.
    remember_run(storage, run.input_root, run.plan.features, found)
    return write_plan(storage, plan)


def _unchanged(run: RunConfig, inspected: Iterable[Inspected]) -> set[str]:
    """The ids of the recordings whose windows the earlier dataset has."""
    if run.earlier is None:
        return set()
    earlier = run.earlier.open()
    require_reusable(earlier, run.plan.features, run.packages)
    now = contents_of_inspected(inspected, run.plan.features)
    rows = earlier.recordings(sound=True).to_pylist()
    return unchanged_ids(now, contents_of_dataset(earlier, rows))


def shard_numbers(planned: PlanFile) -> list[tuple[str, int]]:
    """Every shard that is to be written: its split and its number."""
    return [(split, number) for split in SPLITS for number in range(planned.shards[split])]


def write_planned_shard(
    shard: tuple[str, int], *, planned: PlanFile, job: ShardJob, packages: Mapping[str, str]
) -> tuple[list[WrittenShard], Effort]:
    """Writes a shard in each format, or finds it written; also what that took."""
    require_versions(packages)
    split, number = shard
    return write_shard(split, number, writers_plan(job.build_root, planned), job)


def publish_run(run: RunConfig, written: Iterable[WrittenShard], planned: PlanFile) -> str:
    """Publishes the dataset of a run whose shards are all written; its fingerprint."""
    plan = read_plan(Storage(run.build_root), planned)
    require_unchanged(plan, run.input_root, run.build_root)
    try:
        manifest = publish(
            list(written),
            plan,
            run.formats,
            run.build_root,
            packages=run.packages,
            options=run.plan,
        )
    except TooManyRejectsError as error:
        raise _with_listing(error, run) from None
    return manifest.fingerprint


def _with_listing(error: TooManyRejectsError, run: RunConfig) -> PipelineError:
    command = shlex.join(["duet", "rejects", run.output])
    return PipelineError(f"{error}\nwhat was rejected: {command}")
