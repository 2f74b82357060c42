"""Another peer of PyTorch: MosaicML's StreamingDataset, of a local copy of the same windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from streaming import MDSWriter, StreamingDataset
from torch.utils.data import DataLoader

from benchmarks.reading.timing import BATCH, Batch, Way, main
from benchmarks.reading.windows import shard_windows
from schemas import Dataset


def copy(dataset: Dataset, features: tuple[str, ...], target: str) -> None:
    """Writes an MDS dataset whose shards are as large as the TFRecord shards."""
    specs = {name: dataset.config.specs()[name] for name in features}
    columns = {
        name: f"ndarray:{np.dtype(spec.dtype).name}:{','.join(map(str, spec.shape))}"
        for name, spec in specs.items()
    }
    shards = dataset.shards("train", "tfrecord")
    largest = max(dataset.manifest.files[name].nbytes for name in shards)
    with MDSWriter(out=target, columns=columns, size_limit=largest) as writer:
        for shard in shards:
            for window in shard_windows(dataset, shard):
                writer.write({name: window.features[name] for name in columns})


def batches(
    dataset: Dataset, features: tuple[str, ...], copied: str, workers: str
) -> Iterator[Batch]:
    def stack(windows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        return {
            name: torch.from_numpy(np.stack([window[name] for window in windows]))
            for name in features
        }

    epoch = DataLoader(
        StreamingDataset(local=copied, shuffle=True, batch_size=BATCH),
        batch_size=BATCH,
        num_workers=int(workers),
        collate_fn=stack,
        persistent_workers=int(workers) > 0,
    )
    return itertools.chain.from_iterable(itertools.repeat(epoch))


if __name__ == "__main__":
    main(Way(batches, copy=copy))
