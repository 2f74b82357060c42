"""The peer of JAX: Grain's random access to ArrayRecord files of the same windows.

A record holds the bytes of a window's features and what the window is, which takes less decoding
than an `Example`. The files have one record per group and no compression, as Grain recommends.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from numpy.typing import NDArray

from benchmarks.reading.timing import (
    BATCH,
    RESUME_AT,
    Batch,
    Resumption,
    Way,
    epoch_windows,
    main,
    read_to,
)
from benchmarks.reading.windows import shard_windows
from schemas import Dataset

WRITER_OPTIONS = "group_size:1,uncompressed"
AHEAD = 2
"""Batches that each thread or process prepares."""


def copy(dataset: Dataset, features: tuple[str, ...], target: str) -> None:
    """Writes an ArrayRecord file for each shard of the training split."""
    Path(target).mkdir()
    for number, shard in enumerate(dataset.shards("train", "tfrecord")):
        writer = ArrayRecordWriter(f"{target}/{number:05d}.array_record", WRITER_OPTIONS)
        for window in shard_windows(dataset, shard):
            arrays = [window.features[name].tobytes() for name in features]
            frames = struct.pack("<qi", window.first_frame, window.valid_frames)
            writer.write(b"".join([*arrays, frames, window.recording_id.encode()]))
        writer.close()


def dataset_of(
    dataset: Dataset, features: tuple[str, ...], copied: str, threads: str, processes: str
) -> Any:
    """Batches without end, as a `grain.IterDataset`, read by `threads` in each of `processes`.

    Zero leaves the work to the thread, or the process, that asks for the batches.
    """
    offsets, position = {}, 0
    specs = dataset.config.specs()
    for name, spec in specs.items():
        offsets[name] = position
        position += spec.nbytes

    def batch(records: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        arrays = {}
        for name in features:
            spec = specs[name]
            part = slice(offsets[name], offsets[name] + spec.nbytes)
            rows = [np.frombuffer(memoryview(each)[part], spec.dtype) for each in records]
            arrays[name] = np.stack(rows).reshape(len(records), *spec.shape)
        return arrays

    paths = [str(path) for path in sorted(Path(copied).iterdir())]
    read = grain.ReadOptions(int(threads), prefetch_buffer_size=AHEAD * int(threads))
    batched = (
        grain.MapDataset.source(grain.sources.ArrayRecordDataSource(paths))
        .seed(0)
        .shuffle()
        .batch(BATCH, batch_fn=batch)
        .repeat()
        .to_iter_dataset(read)
    )
    return batched.mp_prefetch(grain.MultiprocessingOptions(int(processes), AHEAD))


def batches(dataset: Dataset, features: tuple[str, ...], *settings: str) -> Iterator[Batch]:
    return iter(dataset_of(dataset, features, *settings))


def save(dataset: Dataset, features: tuple[str, ...], *settings: str) -> Resumption:
    iterator = iter(dataset_of(dataset, features, *settings))
    read_to(iterator, features[0], RESUME_AT * epoch_windows(dataset))
    state = json.dumps(iterator.get_state())

    def resume() -> Batch:
        resumed = iter(dataset_of(dataset, features, *settings))
        resumed.set_state(json.loads(state))
        return next(resumed)

    return Resumption(len(state), resume)


if __name__ == "__main__":
    main(Way(batches, save, copy))
