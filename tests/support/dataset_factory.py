"""Small synthetic datasets, written with the codecs of `schemas` alone: no Beam, no audio."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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

ALL_FEATURES = dataclasses.replace(
    CONFIG,
    n_fft=64,
    win_length=64,
    hop_length=4,
    n_mels=4,
    window_frames=12,
    stride_frames=12,
    features=("log_mel", "waveform", "notes", "onsets"),
)
"""Small windows of all features."""

FRAMES = {"train": (300, 150, 200, 70, 100), "validation": (160, 72), "test": (130, 140, 90)}
"""Frames of each recording of each split; some fill no whole number of windows."""

FEW_FRAMES = {"train": (60, 25, 36, 7, 12, 31), "validation": (24, 13), "test": (30,)}
"""As many for `ALL_FEATURES`: 16, 4 and 3 windows, some of them padded."""


def recording_seed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def recording_levels(name: str, frames: int, config: FeatureConfig) -> np.ndarray:
    """A random walk in dB, float32 [frames, n_mels], that is pulled back to a tilted spectrum."""
    noise = np.random.default_rng(recording_seed(name)).normal(0, 3, (frames, config.n_mels))
    center = np.linspace(-12, -52, config.n_mels)
    levels = np.empty_like(noise)
    level = center + 10 * noise[0] / 3
    for frame, step in enumerate(noise):
        level = level + step - 0.2 * (level - center)
        levels[frame] = level
    return np.clip(levels, config.floor_db, 60).astype(np.float32)


def recording_features(name: str, frames: int, config: FeatureConfig) -> dict[str, NDArray[Any]]:
    """All frames of the features of `config`: no two samples or frames near each other are equal.

    The waveform counts samples from a number of the recording's own, and the piano rolls spell the
    number of the frame and that number as bits.
    """
    number = recording_seed(name) % 2**32
    features: dict[str, NDArray[Any]] = {}
    if "log_mel" in config.features:
        features["log_mel"] = recording_levels(name, frames, config)
    if "waveform" in config.features:
        counted = number + np.arange(frames * config.hop_length, dtype=np.uint64)
        features["waveform"] = counted.astype(np.uint16).view(np.int16)
    if config.has_notes:
        numbers = np.arange(frames, dtype="<u8") << np.uint64(32) | np.uint64(number)
        bits = np.unpackbits(numbers[:, np.newaxis].view(np.uint8), axis=1)
        features["notes"] = np.hstack([bits, 1 - bits])
        features["onsets"] = np.hstack([bits[:, ::-1], bits])
    return {each: features[each] for each in config.features}


def window_of(
    name: str, number: int, features: Mapping[str, NDArray[Any]], config: FeatureConfig
) -> Window:
    """One window of a recording; frames past its end are at the floor, and samples and notes 0."""
    first = number * config.stride_frames
    stored = {}
    for spec in config.specs().values():
        step = spec.shape[0] // config.window_frames
        part = features[spec.name][first * step :][: spec.shape[0]]
        floor = config.floor_db if spec.name == "log_mel" else 0
        stored[spec.name] = np.full(spec.shape, floor, spec.dtype)
        stored[spec.name][: len(part)] = part
        valid_frames = len(part) // step
    return Window(name, first, valid_frames, stored)


def make_dataset(
    root: Path,
    *,
    config: FeatureConfig = CONFIG,
    frames: Mapping[str, Sequence[int]] = FRAMES,
    formats: tuple[str, ...] = ("tfrecord", "hdf5"),
    shards: int = 3,
    seed: int = 0,
    rejected: Collection[tuple[str, int]] = (),
) -> Path:
    """Writes a whole dataset to `root` and returns it; one shard is in memory at a time.

    Recording k of a split is called `SPLIT-k`; every second test recording shares its composition
    with a training recording. Windows are in a shuffled order, as in a real dataset, without those
    in `rejected`: pairs of a recording and the number of one of its windows.
    """
    storage = Storage(root)
    splits, tables, parts, rows = {}, [], [], []
    for split in SPLITS:
        planned: list[tuple[str, int, int]] = []
        for number, count in enumerate(frames[split]):
            name = f"{split}-{number}"
            planned += [
                (name, count, window)
                for window in range(config.window_count(count))
                if (name, window) not in rejected
            ]
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
            for name, count, number in (planned[position] for position in order[first:end]):
                features = recording_features(f"{seed} {name}", count, config)
                part.append(window_of(name, number, features, config))
            statistics = statistics_of(part, config)
            if split == "train" and statistics is not None:
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
        statistics=Statistics.merge(parts, config.n_mels) if parts else None,
        plan_digest="synthetic",
        fingerprint=fingerprint(config, "synthetic", tables),
        packages={},
        files={name: FileEntry.of(storage.read_bytes(name)) for name in storage.list_files()},
    )
    storage.write_bytes(MANIFEST_FILE, manifest.to_bytes())
    return root


def statistics_of(windows: Sequence[Window], config: FeatureConfig) -> Statistics | None:
    if "log_mel" not in config.features:
        return None
    valid = (window.features["log_mel"][: window.valid_frames] for window in windows)
    return Statistics.merge(map(Statistics.of, valid), config.n_mels)


def write_shard(
    storage: Storage,
    name: str,
    file_format: str,
    windows: Sequence[Window],
    config: FeatureConfig,
    statistics: Statistics | None,
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
