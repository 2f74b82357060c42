"""Windows of a dataset, held against whole recordings and what librosa makes of them.

Nothing here uses the code that computes the windows.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np
from numpy.typing import NDArray

from schemas import Dataset, FeatureConfig, Storage, Window
from schemas.checksums import sha256
from schemas.shards import SPLITS
from schemas.windows import read_window


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


class Note(NamedTuple):
    """A row of a label file: `start` and `end` in samples at 44,100 Hz."""

    start: int
    end: int
    pitch: int


@dataclasses.dataclass(frozen=True, eq=False)
class Whole:
    """A whole recording: its resampled samples, and arrays [frames, ...] of every frame.

    `power` is librosa's mel power; `piano_rolls` holds `notes` and `onsets` where there are labels.
    """

    samples: NDArray[np.float32]
    power: NDArray[np.float32]
    piano_rolls: Mapping[str, NDArray[np.uint8]]


def whole_recording(audio: Path, labels: Path | None, config: FeatureConfig) -> Whole:
    samples, _ = librosa.load(audio, sr=config.sample_rate)
    power = mel_power(samples, config, center=True)
    piano_rolls = {} if labels is None else whole_rolls(read_notes(labels), len(power), config)
    return Whole(samples, power, piano_rolls)


def mel_power(
    samples: NDArray[np.float32], config: FeatureConfig, *, center: bool
) -> NDArray[np.float32]:
    """librosa's mel power [frames, n_mels]."""
    return librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        center=center,
        pad_mode="constant",
    ).T


def read_notes(labels: Path) -> list[Note]:
    with labels.open(newline="") as file:
        return [
            Note(int(row["start_time"]), int(row["end_time"]), int(row["note"]))
            for row in csv.DictReader(file)
        ]


def whole_rolls(
    notes: Sequence[Note], frames: int, config: FeatureConfig
) -> dict[str, NDArray[np.uint8]]:
    """`notes` and `onsets` of a recording's first frames, uint8 [frames, 128], note by note."""
    piano_rolls = {name: np.zeros((frames, 128), np.uint8) for name in ("notes", "onsets")}
    # In units of 1 / (44,100 * sample_rate) seconds all times are whole numbers.
    centers = np.arange(frames) * config.hop_length * 44_100
    for note in notes:
        not_before = centers >= note.start * config.sample_rate
        if not 0 <= note.pitch <= 127 or not not_before.any():
            continue
        onset = np.flatnonzero(not_before)[0]
        sounding = not_before & (centers < note.end * config.sample_rate)
        sounding[onset] = True  # also where the note ends before the next center
        piano_rolls["notes"][sounding, note.pitch] = 1
        piano_rolls["onsets"][onset, note.pitch] = 1
    return piano_rolls


def degenerate_notes(notes: Sequence[Note]) -> int:
    """How many end no later than they start."""
    return sum(note.end <= note.start for note in notes)


def check_windows(root: Path, dataset: Dataset) -> None:
    """Asserts that the windows of `dataset` are the slices of the recordings below `root`."""
    config = dataset.config
    wholes, every = {}, []
    for row in dataset.recordings().to_pylist():
        if row["windows"]:
            audio = root / row["path"]
            labels = root / row["path"].replace("_data/", "_labels/")
            notes = read_notes(labels.with_suffix(".csv"))
            assert row["notes"] == len(notes)
            assert row["degenerate_notes"] == degenerate_notes(notes)
            whole = whole_recording(audio, labels.with_suffix(".csv"), config)
            wholes[row["recording_id"]] = whole
            first_frames = window_starts(len(whole.power), config)
            every += [(row["recording_id"], first_frame) for first_frame in first_frames]
    seen = []
    for window in windows_of(dataset, dataset.manifest.formats[0]):
        seen.append((window.recording_id, window.first_frame))
        check_window(window, wholes[window.recording_id], config)
    assert sorted(seen) == sorted(every)


def window_starts(frames: int, config: FeatureConfig) -> list[int]:
    """The first frame of each window of a recording of `frames` frames."""
    length, stride = config.window_frames, config.stride_frames
    if config.tail == "drop":
        return [first for first in range(0, frames, stride) if first + length <= frames]
    # One more window is needed as long as the one before it does not reach the end.
    return [0] + [
        first for first in range(stride, frames, stride) if first - stride + length < frames
    ]


def check_window(window: Window, whole: Whole, config: FeatureConfig) -> None:
    """Asserts that each feature of a window is the slice of the whole recording."""
    first, valid = window.first_frame, window.valid_frames
    frames = slice(first, first + config.window_frames)
    assert valid == len(whole.power[frames])
    for name, array in window.features.items():
        if name == "waveform":
            check_waveform(array, whole.samples[first * config.hop_length :])
        elif name == "log_mel":
            check_log_mel(array[:valid], whole.power[frames], config)
            assert (array[valid:] == array.dtype.type(config.floor_db)).all()
        else:
            np.testing.assert_array_equal(array[:valid], whole.piano_rolls[name][frames], name)
            assert not array[valid:].any()


def check_log_mel(levels: NDArray[Any], power: NDArray[np.float32], config: FeatureConfig) -> None:
    """Asserts that `levels`, in dB, are those of librosa's `power`; both [frames, n_mels].

    Within 1e-4 of the power and 1e-10 of its frame's maximum, or within 0.05 dB. Levels of float16
    may be one unit in the last place further away.
    """
    unit = np.spacing(np.abs(levels)).astype(np.float64) if levels.dtype == np.float16 else 0.0
    found = levels.astype(np.float64)
    reference = np.maximum(power.astype(np.float64), config.amin)
    nearest = np.clip(reference, 10 ** ((found - unit) / 10), 10 ** ((found + unit) / 10))
    loudest = power.max(axis=1, keepdims=True).astype(np.float64)
    close = np.abs(nearest - reference) <= 1e-4 * reference + 1e-10 * loudest
    decibels = np.abs(10 * np.log10(nearest / reference))
    assert decibels[~close].max(initial=0.0) <= 0.05


def check_waveform(stored: NDArray[np.int16], samples: NDArray[np.float32]) -> None:
    """Asserts that `stored` is the beginning of `samples`, rounded to int16, and then zero.

    The resampler's own rounding, below 0.03 of a step at full scale, may turn one that is close.
    """
    expected = samples[: len(stored)] * 32_768.0
    tolerance = 0.5 + 0.03 * max(1.0, np.abs(samples).max(initial=0.0))
    saturated = np.clip(expected, -32_768, 32_767)
    np.testing.assert_allclose(stored[: len(expected)], saturated, rtol=0, atol=tolerance)
    assert not stored[len(expected) :].any()
