"""What a reader delivers, in forms that tests compare, and what it must deliver by h5py alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreError
from schemas.storage.local import LocalRanges
from tests.support.independent_reader import permute, round_keys

Example = Mapping[str, Any]
Name = tuple[str, int]
"""A recording and a first frame."""

FEATURES = ("log_mel", "waveform", "notes", "onsets")


def stored_windows(root: Path, split: str = "train") -> list[dict[str, Any]]:
    """The windows of a split in the order of its files, from its HDF5 shards."""
    windows: list[dict[str, Any]] = []
    for path in sorted((root / split).glob("*.h5")):
        with h5py.File(path) as file:
            columns = {name: values[:] for name, values in file.items()}
        columns["recording_id"] = [each.decode() for each in columns["recording_id"]]
        for row in range(len(columns["first_frame"])):
            windows.append({name: values[row] for name, values in columns.items()})
    return windows


def example_of(window: Example, start: int = 0, frames: int | None = None) -> dict[str, Any]:
    """The example that some frames of a stored window make."""
    of_window = len(window["log_mel"])
    frames = of_window if frames is None else frames
    example = {}
    for name in FEATURES:
        if name in window:
            step = len(window[name]) // of_window
            example[name] = window[name][start * step : (start + frames) * step]
    example["log_mel"] = example["log_mel"].astype(np.float32)
    valid = max(0, min(frames, int(window["valid_frames"]) - start))
    example["recording_id"] = window["recording_id"]
    example["first_frame"] = int(window["first_frame"]) + start
    example["valid_frames"] = valid
    example["weights"] = np.array([1.0] * valid + [0.0] * (frames - valid), np.float32)
    return example


def epoch_order(root: Path, split: str, seed: int, epoch: int) -> list[int]:
    """The positions of an epoch's windows, as docs/format.md says."""
    manifest = json.loads((root / "dataset.json").read_bytes())
    key = round_keys(["epoch", manifest["fingerprint"], split, seed, epoch])
    count = manifest["splits"][split]["windows"]
    return [permute(number, count, key) for number in range(count)]


def rows(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The examples of a batch."""
    count = len(batch["valid_frames"])
    assert all(len(values) == count for values in batch.values())
    return [{name: values[row] for name, values in batch.items()} for row in range(count)]


def all_rows(batches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in rows(batch)]


def name_of(example: Example) -> Name:
    return str(example["recording_id"]), int(example["first_frame"])


def names(batches: Iterable[Mapping[str, Any]]) -> list[Name]:
    return [name_of(row) for row in all_rows(batches)]


def valid_names(batches: Iterable[Mapping[str, Any]]) -> list[Name]:
    """The names of the rows that are not padding."""
    return [name_of(row) for row in all_rows(batches) if row["valid_frames"]]


def take(batches: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(itertools.islice(batches, count))


def assert_examples(ours: Iterable[Example], theirs: Iterable[Example]) -> None:
    """The same examples, of the same names, values and dtypes."""
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)
            if name in (*FEATURES, "weights"):
                assert mine[name].dtype == other[name].dtype, name


def assert_batches(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


def drain(batches: Iterator[dict[str, Any]], into: list[dict[str, Any]]) -> None:
    """Takes all batches; those that come before an error are kept."""
    for batch in batches:
        into.append(batch)


@contextlib.contextmanager
def failing_store() -> Iterator[None]:
    """While the block runs, reads of local files fail as those of a store do."""

    def read_into(*_: object) -> int:
        raise StoreError("the store does not answer")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalRanges, "read_into", read_into)
        yield


def payload_bytes(root: Path, file_format: str, features: Iterable[str]) -> list[list[Any]]:
    """For each window of the training split, in file order: a path and where its payloads lie."""
    extension = {"tfrecord": "tfrecord", "hdf5": "h5"}[file_format]
    found = []
    for path in sorted((root / "train").glob(f"*.{extension}")):
        for row in pq.read_table(f"{path}.index.parquet").to_pylist():
            spans = [(row[f"{name}_offset"], row[f"{name}_length"]) for name in features]
            found.append([path, *spans])
    return found


@contextlib.contextmanager
def flipped(path: Path, position: int, mask: int = 0xFF) -> Iterator[None]:
    """While the block runs, some bits of a byte of a file are others."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(descriptor, 1, position)
        os.pwrite(descriptor, bytes([byte[0] ^ mask]), position)
        try:
            yield
        finally:
            os.pwrite(descriptor, byte, position)
    finally:
        os.close(descriptor)
