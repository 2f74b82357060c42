"""Small synthetic datasets, written with the codecs of `schemas` alone: no Beam, no audio."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.checksums import sha256
from schemas.codecs import CODECS
from schemas.dataset import fingerprint
from schemas.features import FeatureConfig
from schemas.manifest import MANIFEST_FILE, FileEntry, Manifest, SplitSummary
from schemas.shards import (
    SPLITS,
    ShardIndex,
    ShardReport,
    index_file,
    shard_bounds,
    shard_file,
)
from schemas.statistics import Statistics
from schemas.storage import Storage
from schemas.tables import RECORDINGS, RECORDINGS_FILE, REJECTS, REJECTS_FILE, table_bytes
from schemas.windows import Window

CONFIG = FeatureConfig(
    sample_rate=4_000,
    n_fft=256,
    win_length=256,
    hop_length=64,
    n_mels=8,
    fmax=2_000.0,
    window_frames=70,
    stride_frames=70,
    features=("log_mel",),
)
"""Windows of 70 frames, a little over a second, of 8 bins."""

FRAMES = {"train": (300, 150, 200, 70, 100), "validation": (160, 72), "test": (130, 140, 90)}
"""Frames of each recording of each split; some fill no whole number of windows."""


def recording_levels(name: str, frames: int, config: FeatureConfig) -> np.ndarray:
    """A random walk in dB, float32 [frames, n_mels], that is pulled back to a tilted spectrum."""
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    noise = np.random.default_rng(seed).normal(0, 3, (frames, config.n_mels))
    center = np.linspace(-12, -52, config.n_mels)
    levels = np.empty_like(noise)
    level = center + 10 * noise[0] / 3
    for frame, step in enumerate(noise):
        level = level + step - 0.2 * (level - center)
        levels[frame] = level
    return np.clip(levels, config.floor_db, 60).astype(np.float32)


def window_of(name: str, number: int, levels: np.ndarray, config: FeatureConfig) -> Window:
    """One window of a recording; frames past its end are at the floor."""
    first = number * config.stride_frames
    part = levels[first : first + config.window_frames]
    log_mel = np.full((config.window_frames, config.n_mels), config.floor_db, "<f4")
    log_mel[: len(part)] = part
    return Window(name, first, len(part), {"log_mel": log_mel})


def make_dataset(
    root: Path,
    *,
    config: FeatureConfig = CONFIG,
    frames: Mapping[str, Sequence[int]] = FRAMES,
    formats: tuple[str, ...] = ("tfrecord", "hdf5"),
    shards: int = 3,
    seed: int = 0,
) -> Path:
    """Writes a whole dataset to `root` and returns it; one shard is in memory at a time.

    Recording k of a split is called `SPLIT-k`; every second test recording shares its composition
    with a training recording. Windows stand in a shuffled order, as in a real dataset.
    """
    storage = Storage(root)
    splits, tables, parts, rows = {}, [], [], []
    for split in SPLITS:
        planned: list[tuple[str, int, int]] = []
        for number, count in enumerate(frames[split]):
            name = f"{split}-{number}"
            planned += [(name, count, place) for place in range(config.window_count(count))]
            shared = split == "test" and number % 2 == 0
            rows.append(
                {
                    "recording_id": name,
                    "split": split,
                    "status": "ok",
                    "composer": "Someone",
                    "composition": "train-0" if shared else name,
                }
            )
        order = np.random.default_rng(seed).permutation(len(planned))
        splits[split] = SplitSummary(shards, len(planned), len(frames[split]))
        for shard in range(shards):
            first, end = shard_bounds(shard, shards, len(planned))
            part = []
            for name, count, number in (planned[place] for place in order[first:end]):
                levels = recording_levels(f"{seed} {name}", count, config)
                part.append(window_of(name, number, levels, config))
            statistics = Statistics.merge(
                (
                    Statistics.of(window.features["log_mel"][: window.valid_frames])
                    for window in part
                ),
                config.n_mels,
            )
            if split == "train":
                parts.append(statistics)
            for file_format in formats:
                name = shard_file(split, shard, shards, file_format)
                table = write_shard(storage, name, file_format, part, config, statistics)
                if file_format == formats[0]:
                    tables.append(table)
    recordings = sorted(rows, key=lambda row: row["recording_id"])
    storage.write_bytes(
        RECORDINGS_FILE, table_bytes(pa.Table.from_pylist(recordings, schema=RECORDINGS))
    )
    storage.write_bytes(REJECTS_FILE, table_bytes(REJECTS.empty_table()))
    manifest = Manifest(
        config=config,
        seed=seed,
        formats=formats,
        splits=splits,
        statistics=Statistics.merge(parts, config.n_mels),
        plan_digest="synthetic",
        fingerprint=fingerprint(config, "synthetic", tables),
        packages={},
        files={name: _entry(storage.read_bytes(name)) for name in storage.list_files()},
    )
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())
    return root


def _entry(data: bytes) -> FileEntry:
    return FileEntry(sha256(data), len(data))


def write_shard(
    storage: Storage,
    name: str,
    file_format: str,
    windows: Sequence[Window],
    config: FeatureConfig,
    statistics: Statistics,
) -> pa.Table:
    """Writes one shard file and its index; returns the index's rows."""
    recording_ids = [window.recording_id for window in windows]
    with CODECS[file_format].create(storage, name, config.specs(), recording_ids) as writer:
        for window in windows:
            writer.write(window)
        table, digest, nbytes = writer.finish()
    report = ShardReport(
        plan_digest="synthetic",
        sha256=digest,
        nbytes=nbytes,
        windows=len(windows),
        statistics=statistics,
        rejects=(),
        clipped={},
    )
    storage.write_bytes(index_file(name), ShardIndex(table, report).to_bytes())
    return table
