"""Ours through PyTorch's DataLoader: worker processes that read whole batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from torch.utils.data import BatchSampler, DataLoader, RandomSampler

from benchmarks.reading.ours import reader_of
from benchmarks.reading.timing import BATCH, Batch, Way, main
from schemas import Dataset

WORKERS = 2


def batches(dataset: Dataset, features: tuple[str, ...]) -> Iterator[Batch]:
    reader = reader_of(dataset, features, "tfrecord")
    epoch = DataLoader(
        reader,
        batch_size=None,
        sampler=BatchSampler(RandomSampler(reader), BATCH, drop_last=False),
        num_workers=WORKERS,
        persistent_workers=True,
    )
    return itertools.chain.from_iterable(itertools.repeat(epoch))


if __name__ == "__main__":
    main(Way(batches))
