"""Batches as a `tf.data.Dataset`."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.reading.iterator import BatchIterator
from training.reading.layout import FeatureLayout

Iterate = Callable[[int | None], BatchIterator]
"""Makes an iterator over the batches of an epoch, or over those of all epochs."""

_ENDLESS = 2**62


def tf_dataset(
    iterate: Iterate,
    *,
    layouts: Mapping[str, FeatureLayout],
    crop_frames: int,
    has_begins: bool,
    batches: int,
    state: Mapping[str, Any] | None,
    strings: bool,
) -> Any:
    """See `Reader.as_tf_dataset`; `batches` is the number of an epoch's.

    TensorFlow takes some 0.2 ms to call Python, and more for each array that it gets from there:
    small ones go together.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise TrainingError(
            f"as_tf_dataset needs TensorFlow ({error}); in the project's folder, run: pip install "
            "'.[training]'"
        ) from None
    iterations = _Iterations(iterate, batches, state, tuple(layouts), strings)
    dtypes = [layout.dtype.newbyteorder("=").type for layout in layouts.values()]
    dtypes += [np.int64, *([np.str_] if strings else [])]

    def batch(key: Any) -> dict[str, Any]:
        arrays = iter(tf.numpy_function(iterations.next, [key], dtypes))
        found = {
            name: tf.ensure_shape(next(arrays), [None, *layout.shape])
            for name, layout in layouts.items()
        }
        numbers = tf.ensure_shape(next(arrays), [None, 2 + has_begins])
        found["first_frame"] = numbers[:, 0]
        found["valid_frames"] = tf.cast(numbers[:, 1], tf.int32)
        found["weights"] = tf.sequence_mask(numbers[:, 1], crop_frames, tf.float32)
        if has_begins:
            found["begins"] = tf.cast(numbers[:, 2], tf.bool)
        if strings:
            found["recording_id"] = tf.ensure_shape(next(arrays), [None])
        return found

    def iteration(key: Any) -> Any:
        steps = tf.data.Dataset.range(batches if state is None else _ENDLESS)
        return steps.map(lambda step: batch(key))

    keys = tf.data.Dataset.from_tensors(0).map(
        lambda _: tf.ensure_shape(tf.numpy_function(iterations.begin, [], tf.int64), [])
    )
    cardinality = batches if state is None else tf.data.INFINITE_CARDINALITY
    dataset = keys.flat_map(iteration)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    # The reader reads ahead; with another thread that does, an iteration that `fit` breaks off to
    # look at the first batch might count as an epoch or not.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    return dataset.with_options(options)


class _Iterations:
    """The iterators behind each iteration of a dataset, by a key.

    Without a state, each iteration is an epoch, the one after the last that was delivered to its
    end; otherwise each of them goes on from the state.
    """

    def __init__(
        self,
        iterate: Iterate,
        batches: int,
        state: Mapping[str, Any] | None,
        features: tuple[str, ...],
        strings: bool,
    ) -> None:
        self._iterate, self._batches, self._state = iterate, batches, state
        self._features, self._strings = features, strings
        self._epoch = 0
        self._keys = itertools.count()
        self._under_way: dict[int, tuple[BatchIterator, int]] = {}
        self._lock = threading.Lock()
        if state is not None:
            iterate(None).set_state(state)  # Raises for a wrong one.

    def begin(self) -> np.int64:
        """The key of a new iteration."""
        with self._lock:
            # Nothing says that an iteration was broken off, so that all give back their memory.
            for iterator, _ in self._under_way.values():
                iterator.forget()
            iterator = self._iterate(self._epoch if self._state is None else None)
            if self._state is not None:
                iterator.set_state(self._state)
            key = next(self._keys)
            self._under_way[key] = iterator, 0
            return np.int64(key)

    def next(self, key: np.int64) -> list[NDArray[Any]]:
        """The next batch of an iteration: its features, its numbers, and, if asked, its ids."""
        with self._lock:
            iterator, done = self._under_way[int(key)]
            batch = next(iterator)
            self._under_way[int(key)] = iterator, done + 1
            if self._state is None and done + 1 == self._batches:
                del self._under_way[int(key)]
                self._epoch = iterator.get_state()["epoch"] + 1
        names = [name for name in ("first_frame", "valid_frames", "begins") if name in batch]
        numbers = np.stack([batch[name] for name in names], axis=1, dtype=np.int64)
        ids = [batch["recording_id"]] if self._strings else []
        return [*(batch[name] for name in self._features), numbers, *ids]
