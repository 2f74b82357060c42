"""Run as a process: builds the graph and plans for many recordings of which none exists.

They are listed and described as MusicNet's are; printed is what each step took.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.build_folder import PLAN_TABLE
from pipelines.planning.plan import PlanOptions, make_plan
from pipelines.planning.plan_file import write_plan, writers_plan
from pipelines.recordings import listing
from pipelines.recordings.input_file import InputFile
from pipelines.recordings.inspection import Inspected
from pipelines.recordings.metadata import METADATA_FILE
from pipelines.recordings.source import Source
from pipelines.writing.shard_writer import WrittenShard
from schemas import FeatureConfig, Storage
from schemas.manifest import FileEntry
from schemas.shards import ShardReport
from schemas.statistics import Statistics
from schemas.tables import METADATA_COLUMNS
from tests.support.plans import wav_header

CONFIG = FeatureConfig()
RATE = 44_100


class Listing:
    """A folder in MusicNet's layout, as far as `list_sources` asks for it."""

    def __init__(self, root: str) -> None:
        numbers = range(int(root))
        self._of = {group: numbers[remainder::30] for group, remainder in GROUPS.items()}
        self._rest = [number for number in numbers if number % 30 > 1]

    is_local = False

    def list_files(self) -> list[str]:
        folders = [f"{group}_{kind}" for group in GROUPS for kind in ("data", "labels")]
        listed = [name for folder in folders for name in self.list_folder(folder)[0]]
        return [METADATA_FILE, *listed]

    def list_folder(self, folder: str) -> tuple[list[str], list[str]]:
        group, _, kind = folder.partition("_")
        if kind not in ("data", "labels") or group not in GROUPS:
            return [], []
        ending = {"data": "wav", "labels": "csv"}[kind]
        numbers = self._of[group] if group == "test" else [*self._of[group], *self._rest]
        return [f"{folder}/{number:08d}.{ending}" for number in numbers], []

    def read_bytes(self, name: str) -> bytes:
        assert name == METADATA_FILE
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["id", *METADATA_COLUMNS])
        for numbers in (*self._of.values(), self._rest):
            for number in numbers:
                work = [f"Composer {number % 211}", f"Sonata No {number // 3}", "2. Allegro"]
                rest = ["Solo Piano", "Museopen", "http://example.org", f"OP{number % 97}", "CC"]
                rows.writerow([f"{number:08d}", *work, *rest])
        return text.getvalue().encode()


GROUPS = {"train": 0, "test": 1}
STATUS = Path("/proc/self/status")


def inspected(source: Source, rng: np.random.Generator) -> Inspected:
    """A recording of MusicNet's durations, from one to seventeen minutes."""
    samples = RATE * 60 + int(rng.exponential(RATE * 310)) % (RATE * 960)
    wav = wav_header(samples, RATE)
    frames = CONFIG.frame_count(CONFIG.resampled_length(samples, RATE))
    row: dict[str, Any] = {
        "recording_id": source.recording_id,
        "status": "ok",
        "path": source.audio_path,
        **source.metadata,
        **{"samples": samples, "sample_rate": RATE, "channels": 1},
        **{"frames": frames, "windows": CONFIG.window_count(frames)},
        **{"notes": samples // 12_000, "degenerate_notes": 0},
    }
    digest = hashlib.sha256(source.recording_id.encode()).hexdigest()
    version = f"{4 * samples}-{rng.integers(2**50)}"
    labels = FileEntry(digest, samples // 1_000)
    audio, notes = (
        InputFile.of(path, path.encode()) for path in (source.audio_path, str(source.labels_path))
    )
    return Inspected(
        source=source,
        version=version,
        header=wav,
        row=row,
        labels=labels,
        inputs=(audio, *filter(None, [source.metadata_file]), notes),
        rejects=(),
    )


def resident_bytes(peak: bool = False) -> int:
    found = re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", STATUS.read_text())
    assert found
    return int(found[1]) * 1024


def read_in_a_writer(build_root: str) -> None:
    """What a process that writes shards does with a plan, and what that takes."""
    file = pickle.load(sys.stdin.buffer)
    before, started = resident_bytes(), time.perf_counter()
    plan = writers_plan(build_root, file)
    first = plan.shard_windows("train", 0)
    ready = time.perf_counter()
    last = plan.shard_windows("train", plan.shards["train"] - 1)
    for each in [*first, *last]:
        plan.header(each.recording)
    seconds = {"first": ready - started, "next": time.perf_counter() - ready}
    print(json.dumps({"seconds": seconds, "bytes": resident_bytes() - before}))


def launch(input_root: str, build_root: str) -> None:
    """What the process that starts a run does, and what that takes."""
    started = time.perf_counter()
    import apache_beam as beam

    from pipelines.engine.steps import RunConfig
    from pipelines.engine.transforms import build_graph

    plan = PlanOptions(features=CONFIG)
    run = RunConfig(
        input_root=input_root,
        output=build_root,
        build_root=build_root,
        plan=plan,
        formats=("tfrecord",),
        packages={},
        threads=1,
    )
    pipeline = beam.Pipeline()
    build_graph(pipeline, run)
    graph = pipeline.to_runner_api().SerializeToString()
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {"seconds": seconds, "bytes": resident_bytes(peak=True), "graph_bytes": len(graph)}
        )
    )


def in_a_process(function: str, *arguments: str, data: bytes = b"") -> Any:
    """What a function of this module prints in a process of its own."""
    code = f"import sys; from tests.support.plan_many import *; {function}(*sys.argv[1:])"
    command = [sys.executable, "-c", code, *arguments]
    return json.loads(
        subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    )


def report_bytes(digest: str) -> int:
    """What a finished shard of 73 windows, with every recording clipped, tells of itself."""
    statistics = Statistics.of(np.zeros((1, CONFIG.n_mels), np.float32))
    clipped = {f"{number:08d}": number for number in range(73)}
    report = ShardReport(
        plan_digest=digest,
        sha256=digest,
        nbytes=64_000_000,
        windows=73,
        statistics=statistics,
        rejects=(),
        clipped=clipped,
    )
    shard = WrittenShard("train/00000-of-10000.tfrecord", report, FileEntry(digest, 9_999), False)
    return len(pickle.dumps(shard))


def main(recordings: str, build_root: str) -> None:
    listing.Storage = Listing  # type: ignore[assignment, attr-defined]
    started = time.perf_counter()
    listed, rejects = listing.list_sources(recordings)
    seconds = {"list": time.perf_counter() - started}
    rng = np.random.default_rng(0)
    found = [inspected(source, rng) for source in listed]
    # Each is spread as it was listed, and gathered as it was inspected.
    sample = [*listed[:1_000], *found[:1_000]]
    recording_bytes = sum(len(pickle.dumps(each)) for each in sample) / 1_000
    started = time.perf_counter()
    plan = make_plan(found, rejects, PlanOptions(features=CONFIG))
    seconds["plan"] = time.perf_counter() - started
    file = write_plan(Storage(build_root), plan)
    side_input = pickle.dumps(file)
    shards, windows = sum(plan.shards.values()), sum(plan.windows.values())
    shuffled_bytes = (recording_bytes * len(found) + report_bytes(plan.digest) * shards) / windows
    took = {
        "launcher": in_a_process("launch", "gs://bucket/in", "gs://bucket/out"),
        "planner": {"seconds": seconds, "bytes": resident_bytes(peak=True)},
        "writer": in_a_process("read_in_a_writer", build_root, data=side_input),
        "side_input_bytes": len(side_input),
        "plan_file_bytes": len(Storage(build_root).read_bytes(PLAN_TABLE)),
        "shuffled_bytes_a_window": shuffled_bytes,
        "recordings": len(found),
        "windows": windows,
        "shards": shards,
    }
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
