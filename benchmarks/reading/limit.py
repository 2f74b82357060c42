"""The limit: on every core a process that reads windows in a shuffled order and checks them.

One positioned read puts the features of a window into the rows of a batch that was allocated once;
their crc32c is compared with the index. Nothing else is done.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from benchmarks.memory import family_bytes
from benchmarks.reading.timing import BATCH, SECONDS, cpu_seconds
from musicnet_duet.concurrency import available_cores
from schemas import Dataset


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Spans:
    """Where the features of each window lie; features are in the order of the file.

    `files` are descriptors, one per shard, and `shards` int64 [windows] numbers of these. `offsets`
    int64 and `checksums` uint32 are [windows, features], `nbytes` [features].
    """

    files: list[int]
    shards: NDArray[np.int64]
    offsets: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    nbytes: list[int]

    @classmethod
    def of(cls, dataset: Dataset, features: tuple[str, ...]) -> Spans:
        names = dataset.shards("train", "tfrecord")
        tables = [dataset.index(name).table for name in names]
        ordered = sorted(features, key=lambda name: tables[0][f"{name}_offset"][0].as_py())
        offsets, checksums = (
            np.concatenate(
                [np.stack([table[f"{name}_{kind}"] for name in ordered], 1) for table in tables]
            )
            for kind in ("offset", "crc32c")
        )
        return cls(
            files=[os.open(dataset.storage.path(name), os.O_RDONLY) for name in names],
            shards=np.repeat(np.arange(len(names)), [len(table) for table in tables]),
            offsets=offsets,
            checksums=checksums,
            nbytes=[dataset.config.specs()[name].nbytes for name in ordered],
        )


def read_batches(spans: Spans, order: NDArray[np.int64]) -> Iterator[int]:
    """Reads batches of the windows of `order`, again and again; the number of their windows."""
    rows = [np.empty((BATCH, nbytes), np.uint8) for nbytes in spans.nbytes]
    ends = spans.offsets + spans.nbytes
    gaps = (spans.offsets[:, 1:] - ends[:, :-1]).tolist()  # what lies between two features
    starts, shards = spans.offsets[:, 0].tolist(), spans.shards.tolist()
    checksums = spans.checksums.tolist()
    ignored = memoryview(bytearray(max(itertools.chain.from_iterable(gaps), default=0)))
    while True:
        for first in range(0, len(order), BATCH):
            windows = order[first : first + BATCH].tolist()
            for row, window in enumerate(windows):
                payloads = [memoryview(each[row]) for each in rows]
                pieces = [payloads[0]]
                for gap, payload in zip(gaps[window], payloads[1:], strict=True):
                    pieces += [ignored[:gap], payload]
                os.preadv(spans.files[shards[window]], pieces, starts[window])
                if [crc32c(payload) for payload in payloads] != checksums[window]:
                    raise ValueError(f"window {window} fails its checksum")
            yield len(windows)


def work(
    folder: str,
    features: tuple[str, ...],
    share: slice,
    seconds: float,
    ready: Barrier,
    results: SimpleQueue[tuple[float, float, int, float]],
) -> None:
    """Reads its share of the windows; puts when it began and ended, windows, and CPU seconds."""
    spans = Spans.of(Dataset(folder), features)
    order = np.random.default_rng(0).permutation(len(spans.shards))[share]
    batches = read_batches(spans, order)
    ready.wait()
    started, computed = time.monotonic(), cpu_seconds()
    windows = 0
    while windows < len(order) or time.monotonic() - started < seconds:
        windows += next(batches)
    results.put((started, time.monotonic(), windows, cpu_seconds() - computed))


def main(task: str, folder: str, features: str) -> None:
    idle_bytes = family_bytes(os.getpid())
    cores = available_cores()
    seconds = SECONDS if task == "epochs" else 0.0
    ready = multiprocessing.Barrier(cores)
    results: SimpleQueue[tuple[float, float, int, float]] = multiprocessing.SimpleQueue()
    names = tuple(features.split(","))
    processes = [
        multiprocessing.Process(
            target=work,
            args=(folder, names, slice(core, None, cores), seconds, ready, results),
            daemon=True,
        )
        for core in range(cores)
    ]
    for process in processes:
        process.start()
    started, ended, windows, computed = zip(*(results.get() for _ in processes), strict=True)
    for process in processes:
        process.join()
    rate = sum(windows) / (max(ended) - min(started))
    print(
        json.dumps(
            {
                "windows_per_second": rate,
                "windows_per_second_from_opening": rate,
                "cpu_seconds_per_window": sum(computed) / sum(windows),
                "idle_bytes": idle_bytes,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
