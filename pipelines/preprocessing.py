"""From a folder of recordings to a dataset: one run, from its options to its result."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from typing import Any

from musicnet_duet.concurrency import available_cores, prefetch_map
from musicnet_duet.progress import each
from pipelines.audio.decoded import removing_decoded
from pipelines.audio.resampling import require_own_arithmetic
from pipelines.build_folder import open_build_folder, planned_action
from pipelines.checks import require_integer
from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.local import local_run
from pipelines.engine.progress import run_progress
from pipelines.engine.versions import numeric_versions
from pipelines.errors import PipelineError
from pipelines.overlap import require_apart, require_outside_datasets
from pipelines.planning import FOLDERS
from pipelines.planning.claim import claim_of
from pipelines.planning.plan import PlanOptions, make_plan, planned_splits
from pipelines.recordings.digests import with_audio_digest
from pipelines.recordings.inspection import Inspected, inspect_recording
from pipelines.recordings.listing import list_sources
from pipelines.recordings.source import Source
from pipelines.results import DryRun, JobFile, PreprocessResult, Reuse
from pipelines.reuse.comparison import DatasetState, compare, state_of_dataset, state_of_plan
from pipelines.reuse.earlier import EarlierDataset, cannot_be_reused, open_earlier
from pipelines.run_state import require_claimable
from pipelines.summary import audio_seconds, reason_counts, unknown_works
from schemas import Dataset, Storage
from schemas.shards import FORMATS

_MOST_THREADS = 2
"""Of one worker: they share an interpreter, so that more of them gain little."""

_WAITING_THREADS = 4
"""Of one worker that reads from a store, which takes its time to answer."""


_MOST_WORKERS = 1_024
"""Processes of one machine."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreprocessOptions:
    """The input, the output and the engine of one run.

    Attributes:
        input_root: The folder or URL with the recordings: MusicNet's layout at any depth, or audio
            files at any depth.
        output: The folder or URL of the dataset.
        plan: How recordings become windows, shards and splits.
        formats: The file formats of the shards: "tfrecord", "hdf5" or both.
        workers: The number of workers on this machine. One computes in this process; several are
            processes of their own. Other runners ignore it.
        overwrite: Whether to replace what is in `output`; only on a local disk.
        reuse: The folder or URL of an earlier dataset of the same features. Its windows are copied
            for recordings that did not change since; the bytes are those of a run without it.
        runner: The Beam runner, by its name.
        beam_arguments: Options for Beam, as on its command line.

    Raises:
        PipelineError: If a value is impossible.

    Examples:
        >>> from pipelines import PlanOptions, PreprocessOptions
        >>> from schemas import PRESETS
        >>> plan = PlanOptions(features=PRESETS["librosa"])
        >>> PreprocessOptions(input_root="musicnet", output="new", plan=plan).formats
        ('tfrecord',)
    """

    input_root: str
    output: str
    plan: PlanOptions
    formats: tuple[str, ...] = ("tfrecord",)
    workers: int = 1
    overwrite: bool = False
    reuse: str | None = None
    runner: str = LOCAL_RUNNER
    beam_arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.input_root or not self.output:
            raise PipelineError("input_root and output must each name a folder, not nothing")
        if not self.formats or set(self.formats) - set(FORMATS):
            raise PipelineError(f"formats={self.formats!r} must be among {', '.join(FORMATS)}")
        if self.reuse == "":
            raise PipelineError("reuse must name a dataset, or be None, not nothing")
        require_integer("workers", self.workers, least=1, most=_MOST_WORKERS)


def preprocess(options: PreprocessOptions) -> PreprocessResult | JobFile:
    """Makes a dataset of a folder of recordings; a run that was stopped is resumed.

    Args:
        options: What to read, what to make, where, and on which engine.

    Returns:
        What was made, and how long it took. A `JobFile` if Beam was asked for a job file only
        (`--template_location`).

    Raises:
        PipelineError: If the input holds no recordings, too many recordings are rejected,
            the output holds something else, or the earlier dataset cannot be reused.
        StoreError: If a store fails.

    Examples:
        >>> from pipelines import PlanOptions, PreprocessOptions, preprocess
        >>> from schemas import FeatureConfig
        >>> plan = PlanOptions(features=FeatureConfig(n_mels=80, features=("log_mel",)))
        >>> result = preprocess(PreprocessOptions(input_root="musicnet", output="new", plan=plan))
        >>> {name: split.windows for name, split in result.splits.items()}
        {'train': 4, 'validation': 1, 'test': 2}
    """
    started = time.monotonic()
    require_own_arithmetic()
    options = _with_checked_folders(options)
    # Workers import what they need while this process imports Beam.
    workers = options.workers if options.runner == LOCAL_RUNNER else 1
    with (
        local_run(workers) as local,
        open_build_folder(options.output, overwrite=options.overwrite) as build_root,
        removing_decoded(build_root),
    ):
        # Not before: what was being replaced when a run was killed is back in its place now.
        earlier = _earlier(options)
        from pipelines.engine.runner import run_pipeline
        from pipelines.engine.steps import RunConfig
        from pipelines.engine.transforms import build_graph

        run = RunConfig(
            input_root=options.input_root,
            output=options.output,
            build_root=build_root,
            plan=options.plan,
            formats=options.formats,
            threads=_threads(options),
            earlier=earlier.dataset if earlier else None,
            local_name=local.name if options.runner == LOCAL_RUNNER else "",
        )
        with run_progress(build_root, local if options.runner == LOCAL_RUNNER else None):
            metrics = run_pipeline(
                lambda pipeline: build_graph(pipeline, run),
                runner=options.runner,
                beam_arguments=options.beam_arguments,
                local=local,
            )
    if metrics is None:
        return JobFile(options.output)
    dataset = Dataset(options.output)
    rows = dataset.recordings().to_pylist()
    rejects, notices = reason_counts(dataset.rejects()["reason"].to_pylist())
    return PreprocessResult(
        output=options.output,
        fingerprint=dataset.manifest.fingerprint,
        splits=dataset.manifest.splits,
        formats=dataset.manifest.formats,
        bytes=sum(entry.nbytes for entry in dataset.manifest.files.values()),
        rejects=rejects,
        notices=notices,
        recordings_of_unknown_works=_unknown_works(rows, options.plan),
        shards_written=metrics.get("shards_written", 0),
        shards_kept=metrics.get("shards_kept", 0),
        reuse=earlier.compare(state_of_dataset(dataset), metrics.get("windows_copied"))
        if earlier
        else None,
        audio_seconds=audio_seconds(rows),
        wall_seconds=round(time.monotonic() - started, 2),
        metrics=metrics,
    )


@dataclasses.dataclass(frozen=True)
class _Earlier:
    """The dataset that a run reuses, and what it was when the run began, which may replace it."""

    dataset: EarlierDataset
    state: DatasetState

    def compare(self, now: DatasetState, windows: int | None) -> Reuse:
        return compare(self.dataset.root, self.state, now, windows)


def _earlier(options: PreprocessOptions) -> _Earlier | None:
    """Raises as `open_earlier`, or where a table of the dataset is missing or damaged."""
    if options.reuse is None:
        return None
    dataset = open_earlier(options.reuse, options.plan.features, numeric_versions())
    with cannot_be_reused(options.reuse):
        state = state_of_dataset(dataset)
    return _Earlier(EarlierDataset(options.reuse, dataset.manifest.fingerprint), state)


def _with_checked_folders(options: PreprocessOptions) -> PreprocessOptions:
    """The same with absolute paths, of folders that are apart, in stores that are there."""
    # The folder may be replaced, and with it the one that a relative path begins in.
    options = dataclasses.replace(
        options,
        input_root=_absolute(options.input_root),
        output=_absolute(options.output),
        reuse=options.reuse and _absolute(options.reuse),
    )
    for folder in filter(None, (options.input_root, options.output, options.reuse)):
        Storage(folder).require_store()
    require_apart(options.input_root, options.output)
    require_outside_datasets(options.output)
    return options


def _threads(options: PreprocessOptions) -> int:
    """Threads for each worker: several where cores are free, or reading means waiting."""
    if any("://" in each for each in (options.input_root, options.reuse or "")):
        return _WAITING_THREADS
    if options.runner != LOCAL_RUNNER:
        return 1
    return max(1, min(_MOST_THREADS, available_cores() // options.workers))


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)


def _unknown_works(rows: list[dict[str, Any]], plan: PlanOptions) -> int:
    """Of how many recordings nothing tells the work."""
    return 0 if plan.works == FOLDERS else unknown_works(rows)


def dry_run(options: PreprocessOptions) -> DryRun:
    """What `preprocess` would make; reads headers and labels, writes nothing.

    MP3 and Ogg files are decoded for their length, and all audio is read where an earlier dataset
    is to be reused.

    Raises `PipelineError` where `preprocess` would, as far as
    that is known beforehand.
    """
    require_own_arithmetic()
    options = _with_checked_folders(options)
    action = planned_action(options.output, overwrite=options.overwrite)
    earlier = _earlier(options)
    sources, rejects = list_sources(options.input_root)
    inspecting = prefetch_map(
        functools.partial(_inspected, options=options), sources, threads=available_cores()
    )
    inspected = list(each(inspecting, "inspecting", unit="recordings", total=len(sources)))
    plan = make_plan(inspected, rejects, options.plan)
    if action == "continue":
        claim = claim_of(plan, inspected, formats=options.formats, packages=numeric_versions())
        require_claimable(Storage(options.output), claim)
    window_bytes = options.plan.features.window_bytes
    rows = plan.recordings.to_pylist()
    found, notices = reason_counts(reject.reason for reject in plan.rejects)
    return DryRun(
        output=options.output,
        action=action,
        splits=planned_splits(plan),
        formats=options.formats,
        bytes=sum(plan.windows.values()) * window_bytes * len(options.formats),
        rejects=found,
        notices=notices,
        recordings_of_unknown_works=_unknown_works(rows, options.plan),
        reuse=earlier.compare(state_of_plan(plan, inspected), None) if earlier else None,
        audio_seconds=audio_seconds(rows),
    )


def _inspected(source: Source, options: PreprocessOptions) -> Inspected:
    inspected, _ = inspect_recording(source, options.input_root, options.plan.features)
    return with_audio_digest(inspected, options.input_root) if options.reuse else inspected
