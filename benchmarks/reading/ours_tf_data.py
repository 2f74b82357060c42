"""Ours as a `tf.data.Dataset`, from the TFRecord shards."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import tensorflow as tf

from benchmarks.reading.ours import reader_of
from benchmarks.reading.timing import Batch, Way, main
from schemas import Dataset


def batches(dataset: Dataset, features: tuple[str, ...]) -> Iterator[Batch]:
    epoch = reader_of(dataset, features, "tfrecord").as_tf_dataset()
    return itertools.chain.from_iterable(itertools.repeat(epoch))


if __name__ == "__main__":
    tf.constant(0)  # What TensorFlow itself takes is not the reader's.
    main(Way(batches))
