"""Run as a process: reads twenty times its budget, and prints by how many bytes it grew."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from schemas import Dataset
from training import Reader, TrainingError, open_dataset
from training.reading.budget import plan_memory
from training.reading.options import ReadOptions

ALL = ("log_mel", "waveform", "notes", "onsets")

OPTIONS: dict[str, dict[str, Any]] = {
    "levels": {"features": "log_mel"},
    "all": {"features": ALL},
    "crops": {"features": ALL, "crop_frames": 100, "crops_per_window": 3},
    "contiguous": {"features": ALL, "order": "contiguous"},
    "contiguous-crops": {"features": ALL, "order": "contiguous", "crop_frames": 215},
}

_STATUS = Path("/proc/self/status")


def resident_bytes(field: str) -> int:
    return int(_STATUS.read_text().split(f"{field}:")[1].split()[0]) * 1024


def largest_batch(root: str, budget: int, options: dict[str, Any]) -> int:
    """The largest batch size for which the budget is enough by the reader's own account."""
    dataset = Dataset(root)
    fits, exceeds = 1, budget
    while exceeds - fits > 1:
        size = (fits + exceeds) // 2
        try:
            plan_memory(dataset, [ReadOptions.of(dataset, batch_size=size, **options)], budget)
        except TrainingError:
            exceeds = size
        else:
            fits = size
    return fits


def epoch(reader: Reader, way: str) -> Iterator[Any]:
    """All that one of the reader's interfaces delivers in an epoch."""
    if way == "batches":
        return reader.epoch(0)
    if way == "in-order":
        return reader.in_order()
    if way == "shard":
        return reader.shard(0, 2).epoch(0)
    if way == "tensorflow":
        return iter(reader.as_tf_dataset())
    return map(reader.__getitem__ if way == "lists" else collated(reader), position_lists(reader))


def position_lists(reader: Reader) -> list[list[int]]:
    positions = np.random.default_rng(0).permutation(len(reader)).tolist()
    size = reader.options.batch_size
    return [positions[first : first + size] for first in range(0, len(reader), size)]


def collated(reader: Reader) -> Any:
    """What a worker of PyTorch's DataLoader does with a list of positions."""

    def fetch(positions: list[int]) -> dict[str, Any]:
        items = reader.__getitems__(positions)
        return {name: np.stack([item[name] for item in items]) for name in items[0]}

    return fetch


def growth(pickled: bytes, budget: int, way: str, held: int) -> int:
    """How many bytes this process grows by; it holds the last `held` batches.

    What a process takes to read a dataset at all, the code above all, counts as there before.
    """
    reader: Reader = pickle.loads(pickled)
    names = reader.options.features
    with open_dataset(reader.dataset.storage.root, batch_size=2, features=names) as tiny:
        next(epoch(tiny, way))
    del reader, tiny
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_bytes("VmRSS")
    reader = pickle.loads(pickled)
    last: deque[Any] = deque(maxlen=held)
    read = 0
    while read < 20 * budget:
        for batch in epoch(reader, way):
            read += sum(np.asarray(batch[name]).nbytes for name in names)
            last.append(batch)
    return resident_bytes("VmHWM") - before


def main(root: str, budget: str, what: str, way: str, held: str) -> None:
    options = OPTIONS[what]
    size = largest_batch(root, int(budget), options)
    with open_dataset(root, batch_size=size, memory_bytes=int(budget), **options) as reader:
        next(iter(reader))
    # What this process did until now must not count: another one reads.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        arguments = pickle.dumps(reader), int(budget), way, int(held)
        print(pool.apply(growth, arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
