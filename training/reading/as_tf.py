"""Batches as a `tf.data.Dataset`."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.reading.iterator import BatchIterator, State
from training.reading.layout import FeatureLayout

Iterate = Callable[[int | None], BatchIterator]
"""Makes an iterator over the batches of an epoch, or over those of all epochs."""

_ENDLESS = 2**62

MOST_ITERATORS = 16
"""How many iterations of a dataset can alternate without reading anything twice."""


def tf_dataset(
    iterate: Iterate,
    *,
    layouts: Mapping[str, FeatureLayout],
    crop_frames: int,
    has_begins: bool,
    examples: int,
    batches: int,
    state: Mapping[str, Any] | None,
    strings: bool,
) -> Any:
    """See `Reader.as_tf_dataset`; `examples` and `batches` are the numbers of an epoch's.

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
    iterations = _Iterations(iterate, examples, state, tuple(layouts), strings)
    dtypes = [layout.dtype.newbyteorder("=").type for layout in layouts.values()]
    dtypes += [np.int64, *([np.str_] if strings else [])]

    def batch(at: Any, _: Any) -> tuple[Any, dict[str, Any]]:
        after, *rest = tf.numpy_function(iterations.next, [at], [np.int64, *dtypes])
        arrays = iter(rest)
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
        return tf.ensure_shape(after, [3]), found

    def iteration(at: Any) -> Any:
        # An error leaves both the scan and the count of `take` as they are.
        steps = tf.data.Dataset.range(_ENDLESS).scan(at, batch)
        return steps if state is not None else steps.take(batches)

    begun = tf.data.Dataset.from_tensors(0).map(
        lambda _: tf.ensure_shape(tf.numpy_function(iterations.begin, [], tf.int64), [3])
    )
    cardinality = batches if state is None else tf.data.INFINITE_CARDINALITY
    dataset = begun.flat_map(iteration)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    # The reader reads ahead; with another thread that does, an iteration that `fit` breaks off to
    # look at the first batch might count as an epoch or not.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    # Nothing is tuned here, and to end the thread that tunes may take as long as it has run.
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    # TensorFlow never lets go of the functions that it calls.
    weakref.finalize(dataset, iterations.forget_dropped).atexit = False
    return dataset


class _Iterations:
    """What the iterations of a dataset deliver.

    Without a state, each iteration is an epoch, the one after the last that was delivered to its
    end; otherwise each of them begins at the state.

    TensorFlow does not say when an iteration is broken off. So it is TensorFlow that keeps where
    each iteration is, as int64 [3]: its number, and the epoch and the position of its iterator.
    An iterator can be made again from these, and the least recently used ones are dropped.
    """

    def __init__(
        self,
        iterate: Iterate,
        examples: int,
        state: Mapping[str, Any] | None,
        features: tuple[str, ...],
        strings: bool,
    ) -> None:
        self._iterate, self._examples = iterate, examples
        self._features, self._strings = features, strings
        self._state: State | None = None
        if state is not None:
            endless = iterate(None)
            endless.set_state(state)  # Raises for a wrong one.
            self._state = endless.get_state()
        self._epoch = 0
        self._numbers = itertools.count()
        self._iterators: OrderedDict[int, BatchIterator] = OrderedDict()
        self._lock = threading.Lock()
        self._is_dropped = False

    def begin(self) -> NDArray[np.int64]:
        """Where a new iteration begins."""
        with self._lock:
            self._forget()
            state = self._state or {"epoch": self._epoch, "position": 0}
            return _where(next(self._numbers), state)

    def forget_dropped(self) -> None:
        """Keeps no batches in memory when nobody holds the dataset anymore.

        The garbage collector may call this in a thread that is in `next`, which then forgets them.
        """
        self._is_dropped = True
        if self._lock.acquire(blocking=False):
            try:
                self._forget()
                self._is_dropped = False
            finally:
                self._lock.release()

    def next(self, where: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The next batch of an iteration.

        Where the iteration is after it, its features, its numbers, and, if asked, its ids.
        """
        number, epoch, position = where.tolist()
        try:
            with self._lock:
                iterator = self._iterator(number, {"epoch": epoch, "position": position})
                batch = next(iterator)
                after = iterator.get_state()
                if self._state is None and after["position"] == self._examples:
                    del self._iterators[number]
                    self._epoch = max(self._epoch, epoch + 1)
        finally:
            if self._is_dropped:
                self.forget_dropped()
        names = [name for name in ("first_frame", "valid_frames", "begins") if name in batch]
        numbers = np.stack([batch[name] for name in names], axis=1, dtype=np.int64)
        ids = [batch["recording_id"]] if self._strings else []
        features = [batch[name] for name in self._features]
        return [_where(number, after), *features, numbers, *ids]

    def _forget(self) -> None:
        """Has iterations that were broken off keep no batches; others read theirs again."""
        for iterator in self._iterators.values():
            iterator.forget()

    def _iterator(self, number: int, state: State) -> BatchIterator:
        """The iterator behind an iteration that is at a state."""
        iterator = self._iterators.pop(number, None)
        if iterator is None:
            iterator = self._iterate(state["epoch"] if self._state is None else None)
        if iterator.get_state() != state:
            iterator.set_state(state)
        self._iterators[number] = iterator
        if len(self._iterators) > MOST_ITERATORS:
            self._iterators.popitem(last=False)
        return iterator


def _where(number: int, state: State) -> NDArray[np.int64]:
    return np.array([number, state["epoch"], state["position"]], np.int64)
