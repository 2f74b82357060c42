"""Where the time of a window goes: every stage of a run without Beam, on one thread."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import scipy.fft
import soxr

from pipelines.audio.wav import WavReader
from pipelines.planning.plan import PlanOptions, make_plan
from pipelines.recordings.listing import list_sources
from pipelines.writing import shard_writer
from pipelines.writing import window_cutter as windows
from pipelines.writing.label_writer import inspect_and_keep
from pipelines.writing.shard_writer import ShardJob, write_shard
from schemas import FeatureConfig
from schemas.codecs import tfrecord
from schemas.codecs.base import IndexBuilder
from schemas.codecs.tfrecord import TFRecordWriter
from schemas.mel import MelTransform
from schemas.notes import NoteFrames
from schemas.shards import ShardIndex
from schemas.statistics import Statistics
from schemas.storage import Storage, local

STAGES: dict[str, list[tuple[Any, str]]] = {
    "read and decode": [(Storage, "open_ranges"), (WavReader, "read")],
    "resample": [(soxr, "resample")],
    "window and STFT": [(scipy.fft, "rfft"), (MelTransform, "mel_power")],
    "mel": [(MelTransform, "_mel_sums")],
    "log": [(windows, "decibels")],
    "waveform": [(windows, "to_int16")],
    "notes": [(windows.WindowCutter, "_read_notes"), (NoteFrames, "piano_rolls")],
    "statistics": [(Statistics, "of")],
    "encode": [(tfrecord, "_example"), (IndexBuilder, "table"), (ShardIndex, "to_bytes")],
    "crc32c": [(tfrecord, "frame_record"), (IndexBuilder, "add")],
    "sha256": [(TFRecordWriter, "write")],
    "write": [(local.NewFile, "write"), (Storage, "write_bytes")],
    "sync": [(os, "fsync")],
    "the rest": [(shard_writer, "_write_files")],
}
"""The functions that make up each stage, excluding their calls of other stages."""


class Stopwatch:
    """Adds up the time spent in functions, each without those that it calls."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Replaces `owner.name` by a function that is timed."""
        original = vars(owner)[name]
        function = original.__func__ if isinstance(original, classmethod) else original
        timed = self._timed(function, stage)
        setattr(owner, name, classmethod(timed) if function is not original else timed)

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                seconds = time.perf_counter() - started
                self.seconds[stage] += seconds - self._inner.pop()
                if self._inner:
                    self._inner[-1] += seconds

        return timed


def main(root: str, features: str) -> None:
    """Prints milliseconds per window by stage, from the faster of two runs."""
    stopwatch = Stopwatch()
    for stage, functions in STAGES.items():
        for owner, name in functions:
            stopwatch.watch(owner, name, stage)
    config = FeatureConfig(features=tuple(features.split(",")))
    transform = MelTransform.from_config(config)
    runs = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as build_root:
            sources, rejects = list_sources(root)
            inspected = [inspect_and_keep(each, root, build_root, config) for each in sources]
            plan = make_plan(inspected, rejects, PlanOptions(features=config))
            job = ShardJob(root, build_root, ("tfrecord",), transform)
            stopwatch.seconds.clear()
            for split, shards in plan.shards.items():
                for number in range(shards):
                    write_shard(split, number, plan, job)
            count = sum(plan.windows.values())
            runs.append({name: 1e3 * each / count for name, each in stopwatch.seconds.items()})
    print(json.dumps(min(runs, key=lambda run: sum(run.values()))))


if __name__ == "__main__":
    main(*sys.argv[1:])
