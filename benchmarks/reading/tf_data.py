"""The peer of TensorFlow: tf.data over the same TFRecord shards, tuned.

Several shards are interleaved, 256 records shuffled, and a whole batch is parsed at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

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
from schemas import Dataset

SHUFFLED = 256


def dataset_of(dataset: Dataset, features: tuple[str, ...], interleaved: str, threads: str) -> Any:
    """Batches without end, as a `tf.data.Dataset`.

    `interleaved` files are read in turn, by `threads` of its own; TensorFlow chooses where -1 is
    given for the former, or 0 for the latter.
    """
    specs = {name: dataset.config.specs()[name] for name in features}
    schema = {name: tf.io.FixedLenFeature([], tf.string) for name in features}

    def parse(records: Any) -> Mapping[str, Any]:
        parsed = tf.io.parse_example(records, schema)
        return {
            name: tf.reshape(
                tf.io.decode_raw(parsed[name], np.dtype(spec.dtype)), [-1, *spec.shape]
            )
            for name, spec in specs.items()
        }

    paths = [dataset.storage.path(name) for name in dataset.shards("train", "tfrecord")]
    options = tf.data.Options()
    options.deterministic = False
    if int(threads):
        options.threading.private_threadpool_size = int(threads)
    return (
        tf.data.Dataset.from_tensor_slices(paths)
        .shuffle(len(paths))
        .interleave(
            tf.data.TFRecordDataset,
            cycle_length=int(interleaved),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .shuffle(SHUFFLED)
        .batch(BATCH)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .repeat()
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def batches(dataset: Dataset, features: tuple[str, ...], *settings: str) -> Iterator[Batch]:
    return iter(dataset_of(dataset, features, *settings))


def save(dataset: Dataset, features: tuple[str, ...], *settings: str) -> Resumption:
    """A checkpoint of the iterator, which holds what is shuffled, and more."""
    iterator = iter(dataset_of(dataset, features, *settings))
    read_to(iterator, features[0], RESUME_AT * epoch_windows(dataset))
    folder = Path(tempfile.mkdtemp(dir=Path(dataset.storage.root).parent))
    path = tf.train.Checkpoint(iterator=iterator).write(str(folder / "iterator"))

    def resume() -> Batch:
        resumed = iter(dataset_of(dataset, features, *settings))
        tf.train.Checkpoint(iterator=resumed).read(path).assert_consumed()
        return next(resumed)

    return Resumption(sum(file.stat().st_size for file in folder.iterdir()), resume)


if __name__ == "__main__":
    tf.constant(0)  # What TensorFlow itself takes is not the reader's.
    main(Way(batches, save))
