"""Datasets of any size that take the disk space of one shard: all their shards are one file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas import PRESETS, FeatureConfig, Storage, Window
from schemas.manifest import MANIFEST_FILE, FileEntry, Manifest, SplitSummary
from schemas.shards import ShardIndex, ShardReport, index_file, shard_file
from schemas.statistics import Statistics
from tests.support.dataset_factory import write_shard

CONFIG = PRESETS["librosa"]
WINDOWS_PER_SHARD = 16


def make_linked_dataset(
    root: Path, nbytes: int, file_format: str, config: FeatureConfig = CONFIG
) -> Path:
    """Makes a dataset whose training windows have at least `nbytes` bytes; returns `root`.

    Each shard is a hard link to the first one, with an index of its own: a recording per shard.
    """
    window_bytes = sum(spec.nbytes for spec in config.specs().values())
    count = -(-nbytes // (window_bytes * WINDOWS_PER_SHARD))
    storage = Storage(root)
    statistics = Statistics.of(np.zeros((1, config.n_mels), np.float32))
    first = shard_file("train", 0, count, file_format)
    windows = [_window(number, config) for number in range(WINDOWS_PER_SHARD)]
    table = write_shard(storage, first, file_format, windows, config, statistics)
    report = ShardIndex.from_bytes(
        storage.read_bytes(index_file(first)), config.specs(), where=first
    ).report
    files = {first: FileEntry(report.sha256, report.nbytes)}
    files[index_file(first)] = _write_index(storage, first, table, report)
    ids = table.column_names.index("recording_id")
    for number in range(1, count):
        name = shard_file("train", number, count, file_format)
        os.link(root / first, root / name)
        names = pa.array([f"recording-{number}"] * len(table), table.schema.field(ids).type)
        renamed = table.set_column(ids, table.schema.field(ids), names)
        files[name] = files[first]
        files[index_file(name)] = _write_index(storage, name, renamed, report)
    manifest = Manifest(
        config=config,
        seed=0,
        formats=(file_format,),
        splits={
            "train": SplitSummary(count, count * WINDOWS_PER_SHARD, count),
            "validation": SplitSummary(0, 0, 0),
            "test": SplitSummary(0, 0, 0),
        },
        statistics=statistics,
        plan_digest="linked",
        fingerprint="linked",
        packages={},
        files=files,
    )
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())
    return root


def _window(number: int, config: FeatureConfig) -> Window:
    rng = np.random.default_rng(number)
    features = {
        name: rng.integers(0, 2, spec.shape).astype(spec.dtype)
        for name, spec in config.specs().items()
    }
    first_frame = number * config.window_frames
    return Window("recording-0", first_frame, config.window_frames, features)


def _write_index(storage: Storage, shard: str, table: pa.Table, report: ShardReport) -> FileEntry:
    data = ShardIndex(table, report).to_bytes()
    storage.write_bytes(index_file(shard), data)
    return FileEntry.of(data)
