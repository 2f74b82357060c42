"""Ours, arrays: the batches of `open_dataset`, from the shards of either file format."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.reading.timing import BATCH, RESUME_AT, Batch, Resumption, Way, main
from schemas import Dataset
from training import Reader, open_dataset

MEMORY_BYTES = 64_000_000


def reader_of(dataset: Dataset, features: tuple[str, ...], file_format: str) -> Reader:
    return open_dataset(
        dataset.storage.root,
        "train",
        features=features,
        batch_size=BATCH,
        memory_bytes=MEMORY_BYTES,
        file_format=file_format,
    )


def batches(dataset: Dataset, features: tuple[str, ...], file_format: str) -> Iterator[Batch]:
    return iter(reader_of(dataset, features, file_format))


def save(dataset: Dataset, features: tuple[str, ...], file_format: str) -> Resumption:
    reader = reader_of(dataset, features, file_format)
    iterator = iter(reader)
    iterator.set_state({"epoch": 0, "position": int(RESUME_AT * len(reader))})
    next(iterator)
    state = json.dumps(iterator.get_state())

    def resume() -> Batch:
        resumed = iter(reader_of(dataset, features, file_format))
        resumed.set_state(json.loads(state))
        return next(resumed)

    return Resumption(len(state), resume)


if __name__ == "__main__":
    main(Way(batches, save))
