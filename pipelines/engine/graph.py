"""The Beam graph. As little logic as possible: each step is a function of another module.

    list the recordings -> inspect each -> plan -> one element a shard -> write it -> publish

References travel between the steps, never audio. A step raises `PipelineError`, `DatasetError` or
`StoreError`; an engine may then do it again, and finds what was finished.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam

from pipelines.engine.metrics import count_recordings, count_rejects, count_shard, timed
from pipelines.engine.versions import require_versions
from pipelines.errors import PipelineError, TooManyRejectsError
from pipelines.planning.plan import PlanOptions, make_plan
from pipelines.planning.plan_file import PlanFile, read_plan, write_plan, writers_plan
from pipelines.recordings.inspection import Inspected
from pipelines.recordings.musicnet import Source, list_sources
from pipelines.run_state import claim_plan, read_claim, remember_run
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.publish import publish, require_unchanged
from pipelines.writing.shard_writer import ShardJob, WrittenShard, write_shard
from schemas import FeatureConfig, Storage
from schemas.checksums import canonical_json, sha256
from schemas.mel import MelTransform
from schemas.rejects import Reject
from schemas.shards import SPLITS


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One run of the pipeline: what to read, what to make of it and where to build it.

    `output` is where the user will find it, for messages. `packages` are the versions that the
    bytes depend on. A worker computes on `threads` threads.
    """

    input_root: str
    output: str
    build_root: str
    plan: PlanOptions
    formats: tuple[str, ...]
    packages: Mapping[str, str]
    threads: int


def build_graph(pipeline: beam.Pipeline, run: RunConfig, transform: MelTransform) -> None:
    """Adds the whole run to `pipeline`; its result is the dataset in `run.build_root`."""
    job = ShardJob(run.input_root, run.build_root, run.formats, transform, run.threads)
    listed = (
        pipeline
        | "Input" >> beam.Create([run.input_root])
        | "List" >> beam.FlatMap(list_input).with_outputs("rejects", main="sources")
    )
    inspected = (
        listed.sources
        | "Spread recordings" >> beam.Reshuffle()
        | "Inspect" >> beam.Map(inspect_source, run.input_root, run.build_root, run.plan.features)
    )
    start = pipeline | "Start" >> beam.Create([run])
    planned = beam.pvalue.AsSingleton(
        start
        | "Plan"
        >> beam.Map(plan_run, beam.pvalue.AsIter(inspected), beam.pvalue.AsIter(listed.rejects))
    )
    written = (
        start
        | "Shards" >> beam.FlatMap(shard_numbers, planned)
        | "Spread shards" >> beam.Reshuffle()
        | "Write" >> beam.FlatMap(write_planned_shard, planned, job, run.packages)
    )
    _ = start | "Publish" >> beam.Map(publish_run, beam.pvalue.AsIter(written), planned)


def list_input(root: str) -> Iterator[Source | beam.pvalue.TaggedOutput]:
    sources, rejects = list_sources(root)
    yield from sources
    for reject in rejects:
        yield beam.pvalue.TaggedOutput("rejects", reject)


def inspect_source(
    source: Source, input_root: str, build_root: str, features: FeatureConfig
) -> Inspected:
    with timed("inspect"):
        return inspect_and_keep(source, input_root, build_root, features)


def plan_run(run: RunConfig, inspected: Iterable[Inspected], rejects: Iterable[Reject]) -> PlanFile:
    """Makes the plan, claims the output for it, and writes it down."""
    require_versions(run.packages)
    inspected, rejects = list(inspected), list(rejects)
    storage = Storage(run.build_root)
    found = [*rejects, *(reject for each in inspected for reject in each.rejects)]
    count_recordings(inspected)
    count_rejects(found)
    try:
        with timed("plan"):
            plan = make_plan(inspected, rejects, run.plan)
    except TooManyRejectsError as error:
        if read_claim(storage) is not None:
            raise  # What is remembered there is another run's.
        remember_run(storage, run.input_root, run.plan.features, found)
        raise _with_listing(error, run) from None
    versions = sorted(
        (each.source.audio_path, each.version, each.labels and each.labels.sha256)
        for each in inspected
    )
    claim_plan(
        storage,
        {
            "plan_digest": plan.digest,
            "inputs_digest": sha256(canonical_json(versions)),
            "formats": list(run.formats),
            "packages": dict(run.packages),
            "windows": dict(plan.windows),
            "shards": dict(plan.shards),
        },
    )
    # Not before: what another run remembers here stays, if this one is refused.
    remember_run(storage, run.input_root, run.plan.features, found)
    return write_plan(storage, plan)


def shard_numbers(_: RunConfig, planned: PlanFile) -> Iterator[tuple[str, int]]:
    for split in SPLITS:
        for number in range(planned.shards[split]):
            yield split, number


def write_planned_shard(
    shard: tuple[str, int], planned: PlanFile, job: ShardJob, packages: Mapping[str, str]
) -> list[WrittenShard]:
    require_versions(packages)
    split, number = shard
    written, effort = write_shard(split, number, writers_plan(job.build_root, planned), job)
    count_shard(written, effort)
    return written


def publish_run(run: RunConfig, written: Iterable[WrittenShard], planned: PlanFile) -> str:
    plan = read_plan(Storage(run.build_root), planned)
    require_unchanged(plan, run.input_root)
    try:
        with timed("publish"):
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
    command = shlex.join(["python", "-m", "pipelines", "rejects", run.output])
    return PipelineError(f"{error}\nwhat was refused: {command}")
