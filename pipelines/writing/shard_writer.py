"""Writing one shard: its windows, in every file format asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from pipelines.planning.plan import Plan
from pipelines.reuse.earlier import EarlierDataset
from pipelines.writing.allocator import keep_freed_memory
from pipelines.writing.window_cutter import CutWindow, WindowCutter
from schemas import DamagedDataError, Storage
from schemas.checksums import sha256_of_file
from schemas.codecs import CODECS
from schemas.manifest import FileEntry
from schemas.mel import MelTransform
from schemas.rejects import Reject
from schemas.shards import ShardIndex, ShardReport, index_file, shard_file
from schemas.statistics import Statistics


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """What stays the same for all shards of a run; `threads` compute the windows of a shard.

    Each copy of a step has its own `cutter`, which remembers what windows of several shards need.
    Windows of recordings that did not change come from the dataset `earlier`.
    """

    input_root: str
    build_root: str
    formats: tuple[str, ...]
    transform: MelTransform
    threads: int = 1
    earlier: EarlierDataset | None = None

    @functools.cached_property
    def cutter(self) -> WindowCutter:
        return WindowCutter(
            self.transform,
            input_root=self.input_root,
            build_root=self.build_root,
            earlier=self.earlier,
        )


@dataclasses.dataclass(frozen=True)
class WrittenShard:
    """One finished shard file. `kept` says that an earlier run had finished it."""

    name: str
    report: ShardReport
    index: FileEntry
    kept: bool


@dataclasses.dataclass
class Effort:
    """What making a shard took, as far as it was made: seconds of all threads together, and bytes.

    What was begun again is counted again, but for `copied_windows`, those of an earlier dataset.
    """

    copied_windows: int = 0
    read_bytes: int = 0
    read_seconds: float = 0.0
    compute_seconds: float = 0.0
    write_seconds: float = 0.0

    def add_window(self, cut: CutWindow) -> None:
        self.copied_windows += cut.copied
        self.read_bytes += cut.read_bytes
        self.read_seconds += cut.read_seconds
        self.compute_seconds += cut.compute_seconds

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.write_seconds += time.perf_counter() - started


class _RejectedWindowsError(Exception):
    """Windows of a shard cannot be made; `rejects` are all of them."""

    def __init__(self, rejects: list[Reject]) -> None:
        super().__init__(f"{len(rejects)} windows")
        self.rejects = rejects


def write_shard(
    split: str, number: int, plan: Plan, job: ShardJob
) -> tuple[list[WrittenShard], Effort]:
    """Writes a shard, and its index, in each format; keeps it where an earlier run had done so.

    Written again, it has the same bytes. Where windows turn out to be bad it is begun again without
    them, once: before, all of them are found. Raises `DatasetError` where it cannot be written.
    """
    keep_freed_memory()
    effort = Effort()
    storage = Storage(job.build_root)
    names = {
        file_format: shard_file(split, number, plan.shards[split], file_format)
        for file_format in job.formats
    }
    finished = {name: _finished_shard(storage, name, plan) for name in names.values()}
    kept = [shard for shard in finished.values() if shard]
    missing = {file_format: name for file_format, name in names.items() if finished[name] is None}
    rejects: list[Reject] = []
    while missing:
        try:
            kept += _write_files(storage, missing, plan, job, split, number, rejects, effort)
            break
        except _RejectedWindowsError as error:
            rejects += error.rejects
    return kept, effort


def _write_files(
    storage: Storage,
    names: Mapping[str, str],
    plan: Plan,
    job: ShardJob,
    split: str,
    number: int,
    rejects: list[Reject],
    effort: Effort,
) -> list[WrittenShard]:
    rejected = {(reject.recording_id, reject.position) for reject in rejects}
    windows = plan.shard_windows(split, number, rejected=rejected)
    specs = plan.config.specs()
    ids = plan.recordings["recording_id"]
    recording_ids = [ids[window.recording].as_py() for window in windows]
    effort.copied_windows = 0
    statistics = Statistics.zero(plan.config.n_mels)
    clipped: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                CODECS[file_format].create(storage, name, specs, recording_ids)
            )
            for file_format, name in names.items()
        }
        found: list[Reject] = []
        for cut in job.cutter.cut(plan, windows, threads=job.threads):
            if isinstance(cut, Reject):
                found.append(cut)
                continue
            effort.add_window(cut)
            if not found:
                window = cut.window
                if "log_mel" in specs:
                    valid = window.features["log_mel"][: window.valid_frames]
                    statistics += Statistics.of(valid)
                clipped[window.recording_id] += cut.clipped_samples
                with effort.writing():
                    for writer in writers.values():
                        writer.write(window)
        if found:
            raise _RejectedWindowsError(found)
        with effort.writing():
            results = {name: writer.finish() for name, writer in writers.items()}
            stack.close()
    written = []
    for name, (table, file_digest, nbytes) in results.items():
        report = ShardReport(
            plan_digest=plan.digest,
            sha256=file_digest,
            nbytes=nbytes,
            windows=len(windows),
            statistics=statistics if "log_mel" in specs else None,
            rejects=tuple(rejects),
            clipped={name: count for name, count in sorted(clipped.items()) if count},
        )
        index = ShardIndex(table, report).to_bytes()
        with effort.writing():
            storage.write_bytes(index_file(name), index)
        written.append(WrittenShard(name, report, FileEntry.of(index), False))
    return written


def _finished_shard(storage: Storage, name: str, plan: Plan) -> WrittenShard | None:
    """The shard as an earlier run of the same plan left it, if it is whole."""
    if not storage.exists(index_file(name)) or not storage.exists(name):
        return None
    data = storage.read_bytes(index_file(name))
    try:
        report = ShardIndex.from_bytes(data, plan.config.specs(), where=name).report
    except DamagedDataError:
        return None
    with storage.open(name) as file:
        whole = report.plan_digest == plan.digest and sha256_of_file(file) == report.sha256
    return WrittenShard(name, report, FileEntry.of(data), True) if whole else None
