"""The Beam graph. As little logic as possible: each step is a function of another module.

    list the recordings -> inspect each -> plan -> one element a shard -> write it -> publish

References travel between the steps, never audio.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.errors import PipelineError, TooManyRejectsError
from pipelines.inspection import Inspected, inspect_and_keep
from pipelines.mel import MelTransform
from pipelines.plan import Plan, PlanOptions, make_plan
from pipelines.publish import publish
from pipelines.shard_writer import ShardJob, WrittenShard, write_shard
from pipelines.sources import Source, list_sources
from pipelines.work import claim_plan, read_claim, remember_run
from schemas import Storage
from schemas.checksums import canonical_json, sha256
from schemas.manifest import FileEntry
from schemas.shards import SPLITS, Reject
from schemas.tables import labels_file


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


@dataclasses.dataclass(frozen=True, eq=False)
class PlannedRun:
    """The plan, the label files that were written for it, and the versions of the audio files."""

    plan: Plan
    labels: Mapping[str, FileEntry]
    versions: Mapping[str, str]


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
        | "Inspect" >> beam.Map(inspect_and_keep, run.input_root, run.build_root, run.plan.features)
        | "All recordings" >> beam.combiners.ToList()
    )
    rejects = listed.rejects | "All rejects" >> beam.combiners.ToList()
    planned = beam.pvalue.AsSingleton(
        inspected | "Plan" >> beam.Map(plan_run, beam.pvalue.AsSingleton(rejects), run)
    )
    _ = (
        pipeline
        | "Start" >> beam.Create([None])
        | "Shards" >> beam.FlatMap(shard_numbers, planned)
        | "Spread shards" >> beam.Reshuffle()
        | "Write" >> beam.FlatMap(write_planned_shard, planned, job)
        | "All shards" >> beam.combiners.ToList()
        | "Publish" >> beam.Map(publish_run, planned, run)
    )


def list_input(root: str) -> Iterator[Source | beam.pvalue.TaggedOutput]:
    sources, rejects = list_sources(root)
    yield from sources
    for reject in rejects:
        yield beam.pvalue.TaggedOutput("rejects", reject)


def plan_run(
    inspected: Sequence[Inspected], rejects: Sequence[Reject], run: RunConfig
) -> PlannedRun:
    """Makes the plan, and claims the output for it."""
    storage = Storage(run.build_root)
    found = [*rejects, *(reject for each in inspected for reject in each.rejects)]
    for reject in found:
        Metrics.counter("rejects", reject.reason).inc()
    try:
        plan = make_plan(inspected, rejects, run.plan)
    except TooManyRejectsError as error:
        if read_claim(storage) is not None:
            raise  # What is remembered there is another run's.
        remember_run(storage, run.input_root, run.plan.features, found)
        raise _with_listing(error, run) from None
    labels = {labels_file(each.source.recording_id): each.labels for each in inspected}
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
    return PlannedRun(
        plan,
        {name: entry for name, entry in labels.items() if entry},
        {each.source.audio_path: each.version for each in inspected if each.accepted},
    )


def shard_numbers(_: None, planned: PlannedRun) -> Iterator[tuple[str, int]]:
    for split in SPLITS:
        for number in range(planned.plan.shards[split]):
            yield split, number


def write_planned_shard(
    shard: tuple[str, int], planned: PlannedRun, job: ShardJob
) -> list[WrittenShard]:
    split, number = shard
    written = write_shard(split, number, planned.plan, job)
    for each in written:
        Metrics.counter("shards", "reused" if each.reused else "written").inc()
    # Each file format tells the same of its windows.
    for reject in written[0].report.rejects:
        Metrics.counter("rejects", reject.reason).inc()
    return written


def publish_run(written: Sequence[WrittenShard], planned: PlannedRun, run: RunConfig) -> str:
    source = Storage(run.input_root)
    for path, version in planned.versions.items():
        if source.version(path) != version:
            raise PipelineError(
                f"{source.path(path)}: was changed while it was being read; run it again, with "
                "--overwrite"
            )
    try:
        manifest = publish(
            written,
            planned.plan,
            planned.labels,
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
