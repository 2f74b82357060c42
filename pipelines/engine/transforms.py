"""The parts of a run as Beam transforms, for pipelines of one's own.

    ReadRecordings -> MakeWindows    windows as elements, for whatever a pipeline makes of them
    ReadRecordings -> WriteShards    a dataset; only references travel, and no audio is shuffled

As little logic as possible: each step is a function of `steps`. On one machine, `preprocess` has
the elements of a bundle computed by the worker processes of its run.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
from pipelines.recordings.listing import list_sources
from pipelines.recordings.source import Source
from pipelines.writing.recording_windows import recording_windows
from pipelines.writing.shard_writer import ShardJob, WrittenShard
from schemas import FeatureConfig, Window
from schemas.mel import MelTransform
from schemas.rejects import Reject


def build_graph(pipeline: beam.Pipeline, run: RunConfig) -> None:
    """Adds the whole run to `pipeline`; its result is the dataset in `run.build_root`."""
    listed = pipeline | ReadRecordings(run.input_root, run_name=run.local_name)
    _ = listed.recordings | WriteShards(run, listed.rejects)


class ReadRecordings(beam.PTransform):
    """The recordings of a folder, as references to their files: MusicNet, or any audio.

    Args:
        input_root: The folder or URL that holds them, at any depth.
        run_name: The name of a run of `preprocess` on this machine; empty for other pipelines.

    Returns:
        `recordings`, a PCollection of `Source`, and `rejects`, a PCollection of `Reject` for files
        that cannot be recordings.

    Raises:
        PipelineError: In the running pipeline, if the folder is not in this layout.

    Examples:
        >>> import apache_beam as beam
        >>> from pipelines import ReadRecordings
        >>> with beam.Pipeline() as pipeline:
        ...     listed = pipeline | ReadRecordings("musicnet")
        ...     counted = listed.recordings | beam.combiners.Count.Globally()
        ...     _ = counted | beam.Map(print)
        7
    """

    def __init__(self, input_root: str, *, run_name: str = "") -> None:
        super().__init__()
        self._input_root, self._run_name = input_root, run_name

    def expand(self, pipeline: Any) -> Any:
        return (
            pipeline
            | "Input" >> beam.Create([(self._input_root, self._run_name)])
            | "List"
            >> beam.FlatMap(noted(_list_input, self._run_name)).with_outputs(
                "rejects", main="recordings"
            )
        )


class MakeWindows(beam.PTransform):
    """The windows of recordings, in a PCollection of `Source`.

    Args:
        input_root: The folder that the recordings were listed in.
        features: What a window holds; arrays have the shapes and dtypes of `features.specs()`.

    Returns:
        `windows`, a PCollection of `Window`, and `rejects`, a PCollection of `Reject`.

    Examples:
        >>> import apache_beam as beam
        >>> from pipelines import MakeWindows, ReadRecordings
        >>> from schemas import FeatureConfig
        >>> features = FeatureConfig(features=("log_mel",))
        >>> with beam.Pipeline() as pipeline:
        ...     listed = pipeline | ReadRecordings("musicnet")
        ...     made = listed.recordings | MakeWindows("musicnet", features)
        ...     shapes = made.windows | beam.Map(lambda window: window.features["log_mel"].shape)
        ...     _ = shapes | beam.Distinct() | beam.Map(print)
        (430, 128)
    """

    def __init__(self, input_root: str, features: FeatureConfig) -> None:
        super().__init__()
        self._input_root, self._features = input_root, features

    def expand(self, recordings: Any) -> Any:
        return (
            recordings
            | "Spread recordings" >> beam.Reshuffle()
            | "Cut"
            >> beam.FlatMap(_cut, self._input_root, self._features).with_outputs(
                "rejects", main="windows"
            )
        )


class WriteShards(beam.PTransform):
    """Makes a dataset of a PCollection of `Source`: its shards, indexes, tables and manifest.

    The dataset is built in `run.build_root`. The folder `_work` there holds what only an unfinished
    run needs; it stays if a program other than `preprocess` runs the pipeline.

    Args:
        run: What to read, what to make of it, and where.
        rejects: A PCollection of `Reject` to list in the dataset, such as that of
            `ReadRecordings`; None for no others than the transform finds itself.

    Returns:
        A PCollection of one text, the fingerprint of the published dataset.

    Raises:
        PipelineError: In the running pipeline, if too much is rejected, or if `run.build_root`
            holds another dataset or the work of another run.

    Examples:
        >>> import apache_beam as beam
        >>> from pipelines import PlanOptions, ReadRecordings, RunConfig, WriteShards
        >>> from schemas import PRESETS, Dataset
        >>> plan = PlanOptions(features=PRESETS["librosa"])
        >>> run = RunConfig(input_root="musicnet", output="new", plan=plan)
        >>> with beam.Pipeline() as pipeline:
        ...     listed = pipeline | ReadRecordings("musicnet")
        ...     _ = listed.recordings | WriteShards(run, listed.rejects)
        >>> Dataset("new").manifest.fingerprint == Dataset("dataset").manifest.fingerprint
        True
    """

    def __init__(self, run: RunConfig, rejects: Any = None) -> None:
        super().__init__()
        self._run, self._rejects = run, rejects

    def expand(self, recordings: Any) -> Any:
        run, name = self._run, self._run.local_name
        transform = MelTransform.from_config(run.plan.features)
        job = ShardJob(
            run.input_root, run.build_root, run.formats, transform, run.threads, run.earlier
        )
        start = recordings.pipeline | "Start" >> beam.Create([run])
        rejects = self._rejects
        if rejects is None:
            rejects = recordings.pipeline | "No rejects" >> beam.Create([])
        inspected = (
            recordings
            | "Spread recordings" >> beam.Reshuffle()
            | "Inspect"
            >> beam.ParDo(
                Spread(inspect_source, name, threads=run.threads),
                input_root=run.input_root,
                build_root=run.build_root,
                features=run.plan.features,
            )
            | "Count recordings" >> beam.Map(_count_inspected, name)
        )
        planned = beam.pvalue.AsSingleton(
            start
            | "Plan"
            >> beam.Map(
                noted(_plan, name), beam.pvalue.AsIter(inspected), beam.pvalue.AsIter(rejects)
            )
        )
        written = (
            start
            | "Shards" >> beam.FlatMap(_shards, planned)
            | "Spread shards" >> beam.Reshuffle()
            | "Write"
            >> beam.ParDo(
                Spread(write_planned_shard, name), planned=planned, job=job, packages=run.packages
            )
            | "Count shards" >> beam.FlatMap(count_written)
        )
        return start | "Publish" >> beam.Map(
            noted(_publish, name), beam.pvalue.AsIter(written), planned
        )


class Spread(beam.DoFn):
    """Applies a step to each element, in the worker processes of the run where it has some.

    They take the elements of a bundle one by one: none is idle while another has several to do.
    `step(element, **settings)` must be a function of a module. Where the run has no such processes,
    this one computes `threads` elements at a time.
    """

    def __init__(self, step: Callable[..., Any], run_name: str, *, threads: int = 1) -> None:
        self._step, self._run_name, self._threads = step, run_name, threads
        self._pending: deque[Future[Any]] = deque()
        self._executor: ThreadPoolExecutor | None = None

    def start_bundle(self) -> None:
        self._pending.clear()  # Of a bundle that failed.

    # Beam would hold one setting against the type of the mapping of all of them.
    @no_annotations  # type: ignore[untyped-decorator]
    def process(self, element: Any, **settings: Any) -> list[Any]:
        step = functools.partial(self._step, **settings)
        run = find_run(self._run_name)
        if run and run.pool:
            self._pending.append(run.pool.submit(step, element))
            return []
        with noting_failure(self._run_name):
            if self._threads == 1:
                return [step(element)]
            self._executor = self._executor or ThreadPoolExecutor(self._threads)
            self._pending.append(self._executor.submit(step, element))
            # No more wait than keep the threads busy: an engine goes by what comes out.
            if len(self._pending) < 2 * self._threads:
                return []
            return [self._pending.popleft().result()]

    def finish_bundle(self) -> Iterator[WindowedValue]:
        pending, self._pending = self._pending, deque()
        with noting_failure(self._run_name):
            for each in pending:
                yield GlobalWindows.windowed_value(each.result())

    def teardown(self) -> None:
        if self._executor:
            self._executor.shutdown(cancel_futures=True)


def noted(step: Callable[..., Any], run_name: str) -> Callable[..., Any]:
    """A step whose failure is kept for its run. Beam shows it by its own name."""
    noting = functools.partial(_noting, step, run_name)
    return functools.update_wrapper(noting, step, assigned=("__name__",), updated=())


def _noting(step: Callable[..., Any], run_name: str, *arguments: Any) -> Any:
    with noting_failure(run_name):
        return step(*arguments)


def _list_input(of_run: tuple[str, str]) -> list[Source | beam.pvalue.TaggedOutput]:
    root, run_name = of_run
    sources, rejects = list_sources(root)
    if run := find_run(run_name):
        run.listed = len(sources)
    return [*sources, *(beam.pvalue.TaggedOutput("rejects", reject) for reject in rejects)]


def _count_inspected(inspected_in: tuple[Inspected, float], run_name: str) -> Inspected:
    if run := find_run(run_name):
        run.count_inspected()
    return count_inspected(inspected_in)


def _cut(
    source: Source, input_root: str, features: FeatureConfig
) -> Iterator[Window | beam.pvalue.TaggedOutput]:
    for each in recording_windows(source, input_root=input_root, features=features):
        is_reject = isinstance(each, Reject)
        yield beam.pvalue.TaggedOutput("rejects", each) if is_reject else each


def _plan(run: RunConfig, inspected: Iterable[Inspected], rejects: Iterable[Reject]) -> PlanFile:
    rejects = list(rejects)
    count_rejects(rejects)
    with timed("plan"):
        return plan_run(run, inspected, rejects)


def _shards(_: RunConfig, planned: PlanFile) -> list[tuple[str, int]]:
    return shard_numbers(planned)


def _publish(run: RunConfig, written: Iterable[WrittenShard], planned: PlanFile) -> str:
    with timed("publish"):
        return publish_run(run, written, planned)
