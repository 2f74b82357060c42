"""The Beam graph. As little logic as possible: each step is a function of `steps`.

    list the recordings -> inspect each -> plan -> one element a shard -> write it -> publish

References travel between the steps, never audio. The graph is the same for every engine: on one
machine, the elements of a bundle are handed to the worker processes of the run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.engine.local import find_run, noting_failure
from pipelines.engine.metrics import count_inspected, count_rejects, count_written, timed
from pipelines.engine.steps import (
    RunConfig,
    inspect_source,
    plan_run,
    publish_run,
    shard_numbers,
    write_planned_shard,
)
from pipelines.planning.plan_file import PlanFile
from pipelines.recordings.inspection import Inspected
from pipelines.recordings.musicnet import Source, list_sources
from pipelines.writing.shard_writer import ShardJob, WrittenShard
from schemas.mel import MelTransform
from schemas.rejects import Reject


def build_graph(pipeline: beam.Pipeline, run: RunConfig, transform: MelTransform) -> None:
    """Adds the whole run to `pipeline`; its result is the dataset in `run.build_root`."""
    job = ShardJob(run.input_root, run.build_root, run.formats, transform, run.threads)
    name = run.local_name
    listed = (
        pipeline
        | "Input" >> beam.Create([run.input_root])
        | "List" >> beam.FlatMap(noted(list_input, name)).with_outputs("rejects", main="sources")
    )
    inspected = (
        listed.sources
        | "Spread recordings" >> beam.Reshuffle()
        | "Inspect"
        >> beam.ParDo(
            Spread(inspect_source, name),
            input_root=run.input_root,
            build_root=run.build_root,
            features=run.plan.features,
        )
        | "Count recordings" >> beam.Map(count_inspected)
    )
    start = pipeline | "Start" >> beam.Create([run])
    planned = beam.pvalue.AsSingleton(
        start
        | "Plan"
        >> beam.Map(
            noted(plan_and_count, name),
            beam.pvalue.AsIter(inspected),
            beam.pvalue.AsIter(listed.rejects),
        )
    )
    written = (
        start
        | "Shards" >> beam.FlatMap(shards_of_plan, planned)
        | "Spread shards" >> beam.Reshuffle()
        | "Write"
        >> beam.ParDo(
            Spread(write_planned_shard, name), planned=planned, job=job, packages=run.packages
        )
        | "Count shards" >> beam.FlatMap(count_written)
    )
    _ = start | "Publish" >> beam.Map(
        noted(publish_and_count, name), beam.pvalue.AsIter(written), planned
    )


class Spread(beam.DoFn):
    """Applies a step to each element, in the worker processes of the run where it has some.

    They take the elements of a bundle one by one: none is idle while another has several to do.
    `step(element, **settings)` must be a function of a module.
    """

    def __init__(self, step: Callable[..., Any], run_name: str) -> None:
        self._step, self._run_name = step, run_name
        self._pending: list[Future[Any]] = []

    @no_annotations  # Beam would take those of the settings for one setting's.
    def process(self, element: Any, **settings: Any) -> list[Any]:
        step = functools.partial(self._step, **settings)
        run = find_run(self._run_name)
        if run and run.pool:
            self._pending.append(run.pool.submit(step, element))
            return []
        with noting_failure(self._run_name):
            return [step(element)]

    def finish_bundle(self) -> Iterator[WindowedValue]:
        pending, self._pending = self._pending, []
        with noting_failure(self._run_name):
            for each in pending:
                yield GlobalWindows.windowed_value(each.result())


def noted(step: Callable[..., Any], run_name: str) -> Callable[..., Any]:
    """A step whose failure is kept for its run."""
    return functools.partial(_noting, step, run_name)


def _noting(step: Callable[..., Any], run_name: str, *arguments: Any) -> Any:
    with noting_failure(run_name):
        return step(*arguments)


def list_input(root: str) -> list[Source | beam.pvalue.TaggedOutput]:
    sources, rejects = list_sources(root)
    return [*sources, *(beam.pvalue.TaggedOutput("rejects", reject) for reject in rejects)]


def plan_and_count(
    run: RunConfig, inspected: Iterable[Inspected], rejects: Iterable[Reject]
) -> PlanFile:
    rejects = list(rejects)
    count_rejects(rejects)
    with timed("plan"):
        return plan_run(run, inspected, rejects)


def shards_of_plan(_: RunConfig, planned: PlanFile) -> list[tuple[str, int]]:
    return shard_numbers(planned)


def publish_and_count(run: RunConfig, written: Iterable[WrittenShard], planned: PlanFile) -> str:
    with timed("publish"):
        return publish_run(run, written, planned)
