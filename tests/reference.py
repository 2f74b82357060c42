"""Windows of a dataset, held against librosa's reading of the whole recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from pipelines.labels import NoteFrames, parse_labels
from schemas import Dataset, FeatureConfig, Storage, Window
from schemas.checksums import sha256
from schemas.shards import SPLITS, read_window


def digests(root: Path) -> dict[str, str]:
    """The sha256 of every file below a folder."""
    return {name: sha256((root / name).read_bytes()) for name in Storage(root).list_files()}


def windows_of(dataset: Dataset, file_format: str) -> Iterator[Window]:
    """All windows, in the order of splits, shards and rows."""
    for split in SPLITS:
        for shard in dataset.shards(split, file_format):
            file = dataset.storage.open_ranges(shard)
            for row in dataset.index(shard).table.to_pylist():
                yield read_window(file, row, dataset.config.specs(), where=shard)
            file.close()


def whole_recording(
    path: Path, config: FeatureConfig
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The resampled samples, and librosa's mel power [frames, n_mels], of a whole recording."""
    samples, _ = librosa.load(path, sr=config.sample_rate)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        pad_mode="constant",
    )
    return samples, power.T.astype(np.float64)


def check_windows(root: Path, dataset: Dataset) -> None:
    """Asserts that the windows of `dataset` are the slices of the recordings below `root`."""
    config = dataset.config
    rows = {row["recording_id"]: row for row in dataset.recordings().to_pylist()}
    wholes = {
        name: whole_recording(root / row["path"], config)
        for name, row in rows.items()
        if row["windows"]
    }
    seen = []
    for window in windows_of(dataset, dataset.manifest.formats[0]):
        samples, power = wholes[window.recording_id]
        seen.append((window.recording_id, window.first_frame))
        check_log_mel(window, power, config)
        start, hops = (
            window.first_frame * config.hop_length,
            config.window_frames * config.hop_length,
        )
        expected = np.pad(samples, (0, hops))[start : start + hops]
        np.testing.assert_allclose(window.features["waveform"], expected * 32_768, atol=1)
        labels = root / rows[window.recording_id]["path"].replace("_data", "_labels")
        table = parse_labels(labels.with_suffix(".csv").read_bytes(), where=str(labels))
        notes, onsets = NoteFrames.from_labels(table, config).rolls(
            window.first_frame, config.window_frames, window.valid_frames
        )
        np.testing.assert_array_equal(window.features["notes"], notes)
        np.testing.assert_array_equal(window.features["onsets"], onsets)
    every = [
        (name, config.stride_frames * number)
        for name, row in rows.items()
        for number in range(row["windows"])
    ]
    assert sorted(seen) == sorted(every)


def check_log_mel(window: Window, power: NDArray[np.float64], config: FeatureConfig) -> None:
    """Within 1e-4 of the reference's power and 1e-10 of its frame's maximum, or within 0.05 dB."""
    first, valid = window.first_frame, window.valid_frames
    expected = power[first : first + config.window_frames]
    assert valid == len(expected)
    levels = window.features["log_mel"]
    found = 10 ** (levels[:valid].astype(np.float64) / 10)
    loudest = expected.max(axis=1, keepdims=True)
    reference = np.maximum(expected, config.amin)
    close = np.abs(found - reference) <= 1e-4 * reference + 1e-10 * loudest
    decibels = np.abs(10 * np.log10(found / reference))
    assert (close | (decibels <= 0.05)).all()
    assert (levels[valid:] == config.floor_db).all()
