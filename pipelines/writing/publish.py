"""Publishing: from finished shards to a dataset, whose manifest is written last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from musicnet_duet.concurrency import prefetch_map
from pipelines.cards.files import write_cards
from pipelines.cards.subject import Subject
from pipelines.errors import PipelineError
from pipelines.planning.outcome import finished_recordings, training_statistics
from pipelines.planning.plan import Plan, PlanOptions, check_rejects
from pipelines.run_state import remember_rejects
from pipelines.writing.shard_writer import WrittenShard
from schemas import Manifest, Storage
from schemas.dataset import fingerprint
from schemas.manifest import MANIFEST_FILE, FileEntry, SplitSummary
from schemas.rejects import rejects_table
from schemas.shards import SPLITS, ShardIndex, ShardReport, index_file, shard_file
from schemas.tables import (
    INPUTS,
    INPUTS_FILE,
    RECORDINGS,
    RECORDINGS_FILE,
    REJECTS_FILE,
    labeled_recording,
    labels_file,
    table_bytes,
)

_READING_THREADS = 8
"""A store answers each with a delay, whatever it is asked for."""


def publish(
    written: Sequence[WrittenShard],
    plan: Plan,
    formats: Sequence[str],
    build_root: str,
    *,
    packages: Mapping[str, str],
    options: PlanOptions,
) -> Manifest:
    """Writes the tables, the cards and, last, `dataset.json`, for the plan of a run.

    Raises `PipelineError`, and publishes nothing, when too many recordings lost all their windows.
    """
    storage = Storage(build_root)
    labels = _label_files(plan)
    by_name = {shard.name: shard for shard in written}
    # What shards report is the same in each format, but for the bytes of the file itself.
    names = [
        shard_file(split, number, plan.shards[split], formats[0])
        for split in SPLITS
        for number in range(plan.shards[split])
    ]
    reports = {name: by_name[name].report for name in names}
    rejects = [*plan.rejects, *(each for report in reports.values() for each in report.rejects)]
    remember_rejects(storage, rejects)
    check_rejects(plan.recordings.select(RECORDINGS.names).to_pylist(), rejects, options)
    for name in storage.list_files():
        # Left by a run that failed, of a recording that is no longer there.
        if labeled_recording(name) is not None and name not in labels:
            storage.remove(name)
    finished = finished_recordings(plan, list(reports.values()))
    recordings = table_bytes(finished)
    rejected = table_bytes(rejects_table(rejects))
    storage.write_bytes(RECORDINGS_FILE, recordings)
    storage.write_bytes(REJECTS_FILE, rejected)
    inputs = table_bytes(_inputs(plan))
    storage.write_bytes(INPUTS_FILE, inputs)
    files = {
        **labels,
        RECORDINGS_FILE: FileEntry.of(recordings),
        REJECTS_FILE: FileEntry.of(rejected),
        INPUTS_FILE: FileEntry.of(inputs),
    }
    for shard in by_name.values():
        files[shard.name] = FileEntry(shard.report.sha256, shard.report.nbytes)
        files[index_file(shard.name)] = shard.index
    manifest = Manifest(
        config=plan.config,
        seed=plan.seed,
        formats=tuple(formats),
        splits={split: _split_summary(split, plan, reports) for split in SPLITS},
        statistics=training_statistics(plan, reports),
        plan_digest=plan.digest,
        fingerprint=fingerprint(plan.config, plan.digest, _indexes(storage, plan, reports)),
        packages=packages,
        files=dict(sorted(files.items())),
    )
    shard_windows = {split: _shard_windows(split, reports) for split in SPLITS}
    subject = Subject(
        manifest=manifest, recordings=finished.to_pylist(), shard_windows=shard_windows
    )
    manifest = write_cards(storage, subject).manifest
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())
    return manifest


def require_unchanged(plan: Plan, input_root: str, build_root: str) -> None:
    """Raises `PipelineError` where an audio file is no longer the one that the plan was made of.

    Where it is gone: `UnreadableFileError`.
    """
    storage = Storage(input_root)
    again = (
        "run it again, with overwrite=True"
        if Storage(build_root).is_local
        else f"remove {build_root}, then run it again"
    )
    used = plan.recordings.filter(pc.equal(plan.recordings["status"], "ok"))
    paths, planned = used["path"].to_pylist(), used["version"].to_pylist()
    for path, version, now in zip(paths, planned, storage.versions(paths), strict=True):
        if now != version:
            raise PipelineError(
                f"{storage.path(path)}: was changed while it was being read; {again}"
            )


def _inputs(plan: Plan) -> pa.Table:
    """What a run was made of, a table of `tables.INPUTS`; recordings may share metadata."""
    files = pc.list_flatten(plan.recordings["inputs"])
    columns = [pc.struct_field(files, name) for name in INPUTS.names]
    each_once = (
        pa.Table.from_arrays(columns, schema=INPUTS)
        .group_by(INPUTS.names, use_threads=False)
        .aggregate([])
    )
    return each_once.sort_by("path").select(INPUTS.names).combine_chunks()


def _label_files(plan: Plan) -> dict[str, FileEntry]:
    """The label files that were written for a run, by their names."""
    labeled = plan.recordings.filter(pc.is_valid(plan.recordings["labels_sha256"]))
    columns = [
        labeled[name].to_pylist() for name in ("recording_id", "labels_sha256", "labels_nbytes")
    ]
    return {
        labels_file(recording_id): FileEntry(sha256, nbytes)
        for recording_id, sha256, nbytes in zip(*columns, strict=True)
    }


def _split_summary(split: str, plan: Plan, reports: Mapping[str, ShardReport]) -> SplitSummary:
    windows = _shard_windows(split, reports)
    recordings = plan.recordings["split"].to_pylist().count(split)
    return SplitSummary(len(windows), sum(windows), recordings)


def _shard_windows(split: str, reports: Mapping[str, ShardReport]) -> tuple[int, ...]:
    """The number of windows in each shard of a split, in order."""
    return tuple(report.windows for name, report in reports.items() if name.startswith(f"{split}/"))


def _indexes(
    storage: Storage, plan: Plan, reports: Mapping[str, ShardReport]
) -> Iterator[pa.Table]:
    specs = plan.config.specs()
    files = map(index_file, reports)
    read = prefetch_map(storage.read_bytes, files, threads=_READING_THREADS)
    for name, data in zip(reports, read, strict=True):
        yield ShardIndex.from_bytes(data, specs, where=storage.path(name)).table
