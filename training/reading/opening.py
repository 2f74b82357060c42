"""Opening splits of a dataset for reading, within a memory budget."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from schemas import Dataset
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.reading.budget import plan_memory
from training.reading.options import ReadOptions
from training.reading.reader import Reader
from training.validation import MAX_BYTES, shown, whole_number

COPIES_HELD = 3
"""What becomes of a batch in training and evaluation: its quantized levels, their tensor, and the
one before."""


def open_dataset(
    path: str | bytes | os.PathLike[str],
    split: str = "train",
    *,
    features: str | Sequence[str] = ("log_mel",),
    batch_size: int = 16,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    seed: int = 0,
    file_format: str | None = None,
    order: str = "shuffled",
    crop_frames: int | None = None,
    crops_per_window: int | None = None,
) -> Reader:
    """Opens one split of a dataset for reading. Needs neither TensorFlow nor Beam.

    Args:
        path: The folder of the dataset, local or any URL that fsspec knows.
        split: "train", "validation" or "test".
        features: The features to read, or the one.
        batch_size: The number of examples in a batch: windows, or crops of windows.
        memory_bytes: A bound on all that the reader holds with one iterator, including the batch
            that the caller has while it waits for the next. More than the least lets it read more
            at once. Each further iterator that is in use at the same time holds batches of its own,
            and in each worker process of a data loader the reader holds as much again.
        seed: The seed for the order of the epochs and for the crops.
        file_format: "tfrecord" or "hdf5"; the dataset's first one unless it is given.
        order: "shuffled", or "contiguous" for models that carry their state from batch to batch:
            each row goes on where the same row of the batch before it ended.
        crop_frames: Delivers crops of this many frames instead of whole windows, with the waveform
            samples of exactly these frames. In shuffled order they begin anywhere in the valid
            frames; in contiguous order they follow each other.
        crops_per_window: The number of crops of each window in an epoch, in shuffled order; 1
            unless it is given.

    Returns:
        A reader of the split.

    Raises:
        TrainingError: If the memory budget is too small (the message gives one that is enough), or
            an argument does not fit the dataset.
        DatasetError: If there is no complete dataset in the folder, or an index is damaged.
        StoreError: If a store fails.

    Examples:
        >>> from training import open_dataset
        >>> reader = open_dataset("dataset", "train", batch_size=3, features=("log_mel", "notes"))
        >>> reader
        <Reader of dataset, train: 4 examples of log_mel and notes, batches of 3>
        >>> [batch["notes"].shape for batch in reader.epoch(0)]
        [(3, 430, 128), (1, 430, 128)]
        >>> crops = open_dataset("dataset", features="waveform", crop_frames=100)
        >>> next(iter(crops))["waveform"].shape  # 512 samples a frame
        (4, 51200)
    """
    dataset = Dataset(_folder(path))
    options = ReadOptions.of(
        dataset,
        split=split,
        features=features,
        file_format=file_format,
        batch_size=batch_size,
        seed=seed,
        order=order,
        crop_frames=crop_frames,
        crops_per_window=crops_per_window,
    )
    return _open(dataset, [options], memory_bytes)[0]


def _folder(path: Any) -> str | bytes | os.PathLike[str]:
    """A path that the system accepts; raises `TrainingError` for anything else."""
    try:
        text = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        text = b"\0"
    if b"\0" in text:
        raise TrainingError(
            f"path={shown(path)} is not a path: give a text, bytes or a path object of a folder"
        )
    return path


def open_splits(
    dataset: Dataset,
    splits: Sequence[str],
    *,
    batch_size: int,
    memory_bytes: int,
    seed: int = 0,
    features: str | Sequence[str] = ("log_mel",),
) -> list[Reader]:
    """Readers of several splits, which fit into the budget together, with what is made of a batch.

    Raises as `open_dataset` does.
    """
    options = [
        ReadOptions.of(dataset, split=split, features=features, batch_size=batch_size, seed=seed)
        for split in splits
    ]
    return _open(dataset, options, memory_bytes, copies=COPIES_HELD)


def require_stored(dataset: Dataset, features: Sequence[str]) -> None:
    """Raises `TrainingError` unless the dataset holds these features."""
    missing = [name for name in features if name not in dataset.config.features]
    if missing:
        raise TrainingError(
            f"{dataset.storage.root}: holds no {' and no '.join(missing)}; make it again with "
            f"--features {','.join(features)}"
        )


def _open(
    dataset: Dataset, options: Sequence[ReadOptions], memory_bytes: int, *, copies: int = 0
) -> list[Reader]:
    budget = whole_number("memory_bytes", memory_bytes, 1, MAX_BYTES)
    plans = plan_memory(dataset, options, budget, copies=copies)
    return [
        Reader(dataset, each, concurrency, plan)
        for each, (concurrency, plan) in zip(options, plans, strict=True)
    ]
