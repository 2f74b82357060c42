"""Readers: batches from the shards of a dataset, in an order and in memory known beforehand.

The order of an epoch is a keyed permutation of the split's windows: a pure function of the
dataset's fingerprint, the split, the seed and the number of the epoch. No buffer is shuffled, the
file format does not matter, and a state of two integers is enough to resume at any batch.
"""

from __future__ import annotations

import functools
import logging
import operator
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import DamagedDataError, Dataset, Window, permutation_key, permute, read_at
from schemas.storage import Storage
from schemas.storage.ranges import RangeReader
from schemas.windows import as_array
from training.budget import MemoryPlan, plan_memory
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.index import load_index
from training.validation import MAX_BYTES, whole_number

Batch = dict[str, NDArray[Any]]
State = dict[str, int]

MAX_DAMAGED = 100
"""How many descriptions of damaged windows a reader keeps."""

_MAX_BATCH_SIZE = 2**31
_MAX_SEED = 2**63 - 1

_OPEN_FILES = 32

_LOG = logging.getLogger(__name__)


def open_dataset(
    path: str | os.PathLike[str],
    split: str = "train",
    *,
    features: Sequence[str] = ("log_mel",),
    batch_size: int = 16,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    seed: int = 0,
    file_format: str | None = None,
) -> Reader:
    """Opens one split of a dataset, for reading in batches.

    Args:
        path: The folder of the dataset, local or any URL that fsspec knows.
        split: "train", "validation" or "test".
        features: The features to read.
        batch_size: The number of windows in a batch.
        memory_bytes: A bound on all that the reader holds, including the copies that are made of
            its batches on their way into a model.
        seed: The seed for the order of the epochs.
        file_format: "tfrecord" or "hdf5"; the dataset's first one unless it is given.

    Returns:
        A reader of the split.

    Raises:
        TrainingError: If the memory budget is too small (the message gives one that is enough), or
            an argument does not fit the dataset.
        DatasetError: If there is no complete dataset in the folder.

    Examples:
        >>> from training import open_dataset
        >>> reader = open_dataset("dataset", "train", batch_size=3, features=("log_mel", "notes"))
        >>> batches = iter(reader)
        >>> next(batches)["notes"].shape, next(batches)["notes"].shape  # an epoch of 4 windows
        ((3, 430, 128), (1, 430, 128))
        >>> batches.get_state()
        {'epoch': 0, 'position': 4}
    """
    dataset = Dataset(path)
    chosen = file_format or dataset.manifest.formats[0]
    names = tuple(features)
    plan = _plan(dataset, split, names, batch_size, chosen)
    plan.check(whole_number("memory_bytes", memory_bytes, 1, MAX_BYTES))
    return Reader(dataset, split, names, chosen, batch_size, seed, plan)


def open_splits(
    dataset: Dataset,
    splits: Sequence[str],
    *,
    batch_size: int,
    memory_bytes: int,
    seed: int = 0,
) -> list[Reader]:
    """Readers of the log-mels of several splits, which fit into the budget together.

    Raises as `open_dataset` does.
    """
    file_format = dataset.manifest.formats[0]
    features = ("log_mel",)
    plans = [_plan(dataset, split, features, batch_size, file_format) for split in splits]
    total = functools.reduce(operator.add, plans)
    total.check(whole_number("memory_bytes", memory_bytes, 1, MAX_BYTES))
    return [
        Reader(dataset, split, features, file_format, batch_size, seed, plan)
        for split, plan in zip(splits, plans, strict=True)
    ]


def _plan(
    dataset: Dataset, split: str, features: tuple[str, ...], batch_size: int, file_format: str
) -> MemoryPlan:
    """Raises `TrainingError` or `DatasetError` where there can be no such reader."""
    root = dataset.storage.root
    dataset.shards(split, file_format)
    stored = dataset.config.features
    if not features or set(features) - set(stored):
        raise TrainingError(
            f"features={features!r}: {root} holds {', '.join(stored)}; name some of these"
        )
    batch_size = whole_number("batch_size", batch_size, 1, _MAX_BATCH_SIZE)
    if not dataset.manifest.splits[split].windows:
        raise TrainingError(
            f"{root}: split {split!r} holds no windows; choose another split, or make the dataset "
            "from recordings of more works"
        )
    return plan_memory(dataset, split, file_format, features, batch_size)


class Reader:
    """The windows of one split; `open_dataset` makes it.

    `len(reader)` and `reader[position]` give windows in file order; `iter(reader)` gives batches
    without end, `reader.in_order()` every window once. A batch maps each feature to an array
    [windows, *shape] of its stored dtype, `recording_id` to strings, `first_frame` to int64 and
    `valid_frames` to int32 [windows].

    Every epoch delivers each window once; its last batch is smaller where the batch size does
    not divide the split. A damaged window is left out of its batch, noted in `damaged`, and
    the first one is also logged.

    A reader can be copied, pickled, and used in a process that was forked or spawned: every
    process opens the files for itself.

    Args:
        dataset: The dataset.
        split: "train", "validation" or "test".
        features: The features to read.
        file_format: "tfrecord" or "hdf5".
        batch_size: The number of windows in a batch.
        seed: The seed for the order of the epochs.
        plan: What the reader is going to hold in memory.

    Raises:
        TrainingError: If a number is impossible.

    Examples:
        >>> from training import open_dataset
        >>> reader = open_dataset("dataset", "train", batch_size=2, seed=0)
        >>> len(reader), reader[0].features["log_mel"].dtype
        (4, dtype('float32'))
        >>> batches = iter(reader)
        >>> _ = next(batches)
        >>> state = batches.get_state()
        >>> resumed = iter(open_dataset("dataset", "train", batch_size=2, seed=0))
        >>> resumed.set_state(state)
        >>> bool((next(resumed)["log_mel"] == next(batches)["log_mel"]).all())
        True
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        features: tuple[str, ...],
        file_format: str,
        batch_size: int,
        seed: int,
        plan: MemoryPlan,
    ) -> None:
        self.dataset = dataset
        self.split = split
        self.features = features
        self.batch_size = whole_number("batch_size", batch_size, 1, _MAX_BATCH_SIZE)
        self.seed = whole_number("seed", seed, 0, _MAX_SEED)
        self._plan = plan
        self._index = load_index(dataset, split, file_format, features)
        self._files = _Files(dataset.storage.root)
        self._specs = {name: dataset.config.specs()[name] for name in features}
        self._damaged: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, position: int) -> Window:
        """The window at a position in file order, from 0.

        Raises `DamagedDataError` where it is damaged, and `IndexError` where there is none.
        """
        if not 0 <= position < len(self):
            raise IndexError(
                f"position {position}: split {self.split!r} has positions 0 to {len(self) - 1}"
            )
        index = self._index
        return Window(
            recording_id=index.recording_ids[index.recordings[position]],
            first_frame=int(index.first_frames[position]),
            valid_frames=int(index.valid_frames[position]),
            features={name: self._read(position, name) for name in self.features},
        )

    def __iter__(self) -> BatchIterator:
        return BatchIterator(self)

    def in_order(self) -> Iterator[Batch]:
        """All windows once, in file order: for validation and evaluation."""
        for first in range(0, len(self), self.batch_size):
            batch = self._batch(range(first, min(first + self.batch_size, len(self))))
            if len(batch["valid_frames"]):
                yield batch

    def epoch_positions(self, epoch: int, first: int, end: int) -> NDArray[np.int64]:
        """The positions in file order of windows `first` to `end` of an epoch: int64 [windows]."""
        fingerprint = self.dataset.manifest.fingerprint
        key = permutation_key("epoch", fingerprint, self.split, self.seed, operator.index(epoch))
        return permute(np.arange(first, end, dtype=np.int64), len(self), key)

    def as_tf_dataset(self, state: State | None = None) -> Any:
        """The batches of `iter(reader)`, from `state` on, as a `tf.data.Dataset` without end."""
        import tensorflow as tf

        def batches() -> Iterator[Batch]:
            iterator = iter(self)
            if state is not None:
                iterator.set_state(state)
            yield from iterator

        signature = {
            name: tf.TensorSpec([None, *spec.shape], np.dtype(spec.dtype).type)
            for name, spec in self._specs.items()
        }
        signature["recording_id"] = tf.TensorSpec([None], tf.string)
        signature["first_frame"] = tf.TensorSpec([None], tf.int64)
        signature["valid_frames"] = tf.TensorSpec([None], tf.int32)
        return tf.data.Dataset.from_generator(batches, output_signature=signature)

    @property
    def recording_ids(self) -> Sequence[str]:
        """The recordings that the split holds windows of, in no particular order."""
        return self._index.recording_ids

    def find(self, recording_id: str) -> int | None:
        """The position of a recording's earliest window, None where the split holds none of it."""
        if recording_id not in self.recording_ids:
            return None
        number = self.recording_ids.index(recording_id)
        positions = np.flatnonzero(self._index.recordings == number)
        return int(positions[np.argmin(self._index.first_frames[positions])])

    def memory_plan(self) -> MemoryPlan:
        """What the reader was found to need when it was opened."""
        return self._plan

    @property
    def damaged(self) -> list[str]:
        """A line for each damaged window met so far, up to `MAX_DAMAGED`."""
        return list(self._damaged.values())

    def close(self) -> None:
        """Closes the files; they are opened again when they are needed."""
        self._files.close()

    def load(self, state: State) -> tuple[Batch, State]:
        """The first batch from `state` on that holds a window, and the state after it."""
        epoch, position = state["epoch"], state["position"]
        for _ in range(1 + 2 * len(self)):
            if position == len(self):
                epoch, position = epoch + 1, 0
            end = min(position + self.batch_size, len(self))
            batch = self._batch(self.epoch_positions(epoch, position, end).tolist())
            position = end
            if len(batch["valid_frames"]):
                return batch, {"epoch": epoch, "position": position}
        raise TrainingError(
            f"{self.dataset.storage.path(self.split)}: every window is damaged, the first: "
            f"{self.damaged[0]}; make the dataset again"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A thread that reads ahead may add to the dictionary meanwhile.
        return {**self.__dict__, "_damaged": dict(self._damaged)}

    def _batch(self, positions: Sequence[int]) -> Batch:
        """The undamaged windows at `positions`, in that order."""
        arrays = {
            name: np.empty((len(positions), *spec.shape), spec.dtype)
            for name, spec in self._specs.items()
        }
        whole: list[int] = []
        for position in positions:
            try:
                for name, array in arrays.items():
                    array[len(whole)] = self._read(position, name)
            except DamagedDataError as error:
                self._note_damage(position, str(error))
            else:
                whole.append(position)
        index = self._index
        recordings = index.recordings[whole]
        return {
            **{name: array[: len(whole)] for name, array in arrays.items()},
            "recording_id": np.array([index.recording_ids[number] for number in recordings], str),
            "first_frame": index.first_frames[whole],
            "valid_frames": index.valid_frames[whole],
        }

    def _read(self, position: int, feature: str) -> NDArray[Any]:
        index, spec = self._index, self._specs[feature]
        shard = index.shard_of(position)
        path = self.dataset.storage.path(shard)
        data = self._files.read(
            shard,
            int(index.offsets[feature][position]),
            spec.nbytes,
            int(index.checksums[feature][position]),
            where=f"{path}: {feature} of window {position} of {self.split}",
        )
        return as_array(data, spec)

    def _note_damage(self, position: int, message: str) -> None:
        if not self._damaged:
            _LOG.warning("%s; it is left out, as are others like it", message)
        if len(self._damaged) < MAX_DAMAGED:
            self._damaged[position] = message


class BatchIterator:
    """Batches without end, one epoch after the other; one is read ahead by a thread.

    The state is that of the batches handed out: {"epoch": number, "position": windows of this
    epoch that are done}. A copy of an iterator, also one in another process, goes on from there.
    """

    _ahead: Future[tuple[Batch, State]] | None
    _thread: ThreadPoolExecutor

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._state: State = {"epoch": 0, "position": 0}
        self._begin_ahead()

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> Batch:
        if self._process != os.getpid():
            self._begin_ahead()  # A fork takes no threads along, and nobody would ever answer.
        ahead = self._ahead or self._thread.submit(self._reader.load, self._state)
        self._ahead = None
        batch, self._state = ahead.result()
        self._ahead = self._thread.submit(self._reader.load, self._state)
        return batch

    def __getstate__(self) -> tuple[Reader, State]:
        return self._reader, self._state

    def __setstate__(self, state: tuple[Reader, State]) -> None:
        self._reader, self._state = state
        self._begin_ahead()

    def get_state(self) -> State:
        """The state, in Python integers, from which another iterator goes on as this one will."""
        return dict(self._state)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state that `get_state` gave; any position costs the same.

        Its numbers may be numpy's. Raises `TrainingError` for any other state.
        """
        size = len(self._reader)
        wrong = TrainingError(
            f"{state!r} is not a state of a reader of {size} windows: it needs an epoch from 0 "
            f"and a position from 0 to {size}"
        )
        if set(state) != set(self._state):
            raise wrong
        try:
            epoch = whole_number("epoch", state["epoch"], 0, _MAX_SEED)
            position = whole_number("position", state["position"], 0, size)
        except TrainingError:
            raise wrong from None
        if self._ahead is not None and self._process == os.getpid():
            self._ahead.cancel()
        self._ahead = None
        self._state = {"epoch": epoch, "position": position}

    def _begin_ahead(self) -> None:
        self._process = os.getpid()
        self._ahead = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")


class _Files:
    """Open shard files, the least recently used one is closed when there are too many.

    After a fork, and in a copy, everything is opened again: neither the lock, which another
    process's thread may hold, nor the connections to a store may be shared.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._begin()

    def read(self, name: str, offset: int, length: int, crc: int, *, where: str) -> bytes:
        if self._process != os.getpid():
            self._begin()
        # Held while reading, so that no thread closes the file that another one reads.
        with self._lock:
            if name not in self._open:
                self._open[name] = self._storage.open_ranges(name)
            self._open.move_to_end(name)
            if len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            return read_at(self._open[name], offset, length, crc, where=where)

    def close(self) -> None:
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def __getstate__(self) -> str:
        return self._root

    def __setstate__(self, root: str) -> None:
        self._root = root
        self._begin()

    def _begin(self) -> None:
        self._storage = Storage(self._root)
        self._open: OrderedDict[str, RangeReader] = OrderedDict()
        self._lock = threading.Lock()
        self._process = os.getpid()
