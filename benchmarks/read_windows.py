"""Reads a training split three times in one of several ways; windows per second and memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from schemas import Dataset
from schemas.checksums import crc32c
from training import open_dataset

EPOCHS = 3
BATCH = 16


def tf_data(root: str, features: list[str]) -> Iterator[int]:
    import tensorflow as tf

    dataset = Dataset(root)
    specs = dataset.config.specs()
    schema = {name: tf.io.FixedLenFeature([], tf.string) for name in features}

    def parse(record):  # type: ignore[no-untyped-def]
        parsed = tf.io.parse_single_example(record, schema)
        return {
            name: tf.reshape(
                tf.io.decode_raw(parsed[name], np.dtype(specs[name].dtype)), specs[name].shape
            )
            for name in features
        }

    paths = [dataset.storage.path(name) for name in dataset.shards("train", "tfrecord")]
    records = tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE
    )
    parsed = records.shuffle(256).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    batches = parsed.batch(BATCH).prefetch(tf.data.AUTOTUNE).repeat(EPOCHS)
    for batch in batches:
        yield len(batch[features[0]])


def ours(root: str, features: list[str]) -> Iterator[int]:
    reader = open_dataset(root, features=features, batch_size=BATCH, memory_bytes=256 * 2**20)
    yield from first_epochs(reader, EPOCHS * len(reader))


def ours_tf_data(root: str, features: list[str]) -> Iterator[int]:
    reader = open_dataset(root, features=features, batch_size=BATCH, memory_bytes=256 * 2**20)
    yield from first_epochs(reader.as_tf_dataset(), EPOCHS * len(reader))


def first_epochs(batches: Iterable[Mapping[str, Any]], windows: int) -> Iterator[int]:
    """The sizes of batches that never end, until they make up `windows` windows."""
    for batch in batches:
        yield len(batch["valid_frames"])
        windows -= len(batch["valid_frames"])
        if not windows:
            return


def bare(root: str, features: list[str]) -> Iterator[int]:
    dataset = Dataset(root)
    for _ in range(EPOCHS):
        for shard in dataset.shards("train", "tfrecord"):
            table = dataset.index(shard).table
            columns = [
                (table[f"{name}_offset"].to_pylist(), table[f"{name}_length"].to_pylist())
                for name in features
            ]
            file = dataset.storage.open_ranges(shard)
            for row in range(table.num_rows):
                for offsets, lengths in columns:
                    crc32c(file.read(offsets[row], lengths[row]))
                yield 1
            file.close()


def megabytes(name: str) -> float:
    """A figure of this process's memory: VmRSS, or VmHWM for the most that VmRSS has been."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) * 1024 / 1e6


def main(way: str, root: str, features: str) -> None:
    ways: dict[str, Callable[[str, list[str]], Iterator[int]]] = {
        "tf_data": tf_data,
        "ours": ours,
        "ours_tf_data": ours_tf_data,
        "bare": bare,
    }
    if "tf_data" in way:
        import tensorflow as tf

        tf.constant(0)
    idle = megabytes("VmRSS")
    started = time.monotonic()
    windows = sum(ways[way](root, features.split(",")))
    seconds = time.monotonic() - started
    print(
        json.dumps(
            {"windows_per_second": windows / seconds, "megabytes": megabytes("VmHWM") - idle}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
