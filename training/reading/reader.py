"""The class that reads one split of a dataset."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np

from schemas import DamagedDataError, Dataset
from training.errors import TrainingError
from training.reading.budget import Concurrency, MemoryPlan
from training.reading.index import load_index
from training.reading.iterator import BatchIterator, Course
from training.reading.layout import layouts
from training.reading.loader import Batch, Loader, Padding
from training.reading.options import MAX_SEED, ReadOptions
from training.reading.order import (
    ContiguousOrder,
    Crops,
    FileOrder,
    Keys,
    Order,
    Positions,
    ShuffledOrder,
    Tiles,
)
from training.validation import shown, whole_number

Item = dict[str, Any]


class Reader:
    """The examples of one split, windows or crops of them; `open_dataset` makes it.

    **As a sequence**, in the order of the files: `len(reader)` examples; `reader[i]` is one, a
    dict, and a slice or a list of positions is a batch. **As batches**: `iter(reader)` goes on
    *without end*, epoch after epoch; `reader.epoch(n)` is one epoch, and `reader.in_order()` is
    each example once in the order of the files. Both iterators have a state, see `BatchIterator`.

    A batch maps names to arrays: each feature [examples, *shape] (`log_mel` as float32 in dB, the
    others in their stored dtypes), `recording_id` strings, `first_frame` int64, `valid_frames`
    int32 [examples], and `weights` float32 [examples, frames], which are 1 in valid frames and 0 in
    padding. In contiguous order, `begins` bool [examples] says which rows do not go on from the
    batch before.

    Every epoch delivers each example once; its last batch is smaller where the batch size does not
    divide them. The examples of a damaged window are left out of their batch, and it is noted in
    `damaged`; the first one is also logged. In contiguous order, and in shards and `as_tf_dataset`
    where a step would be empty, a row stays in place of them, with `valid_frames` and `weights` of
    0.

    A reader can be copied, pickled, and used in a process that was forked or spawned: every process
    opens the files for itself. It may be used by several threads, each with an iterator of its own.
    Each iterator plans and holds batches of its own: the memory budget is for one at a time.

    Args:
        dataset: The dataset.
        options: What is read.
        concurrency: How much is done at once.
        plan: What the reader is going to hold in memory.

    Raises:
        TrainingError: If the indexes of the shards do not agree with the manifest.

    Examples:
        >>> from training import open_dataset
        >>> reader = open_dataset("dataset", "train", batch_size=2, seed=0)
        >>> len(reader), reader[0]["log_mel"].dtype, reader[-1]["recording_id"]
        (4, dtype('float32'), '1728')
        >>> batches = iter(reader)
        >>> _ = next(batches)
        >>> state = batches.get_state()
        >>> state
        {'epoch': 0, 'position': 2}
        >>> resumed = iter(open_dataset("dataset", "train", batch_size=2, seed=0))
        >>> resumed.set_state(state)
        >>> bool((next(resumed)["log_mel"] == next(batches)["log_mel"]).all())
        True
    """

    def __init__(
        self,
        dataset: Dataset,
        options: ReadOptions,
        concurrency: Concurrency,
        plan: MemoryPlan,
    ) -> None:
        self.dataset = dataset
        self.options = options
        self._concurrency, self._plan = concurrency, plan
        self._shard = (0, 1)
        self._index = load_index(
            dataset,
            options.split,
            options.file_format,
            options.features,
            threads=concurrency.reads,
        )
        keys = Keys(dataset.manifest.fingerprint, options.split, options.seed)
        window_frames = dataset.config.window_frames
        kind = Tiles if options.order == "contiguous" else Crops
        crops = kind(keys, options.crop_frames, options.crops_per_window, window_frames)
        self._file_order = FileOrder(self._index, crops)
        self._order: Order = (
            ContiguousOrder(self._index, options, keys)
            if options.order == "contiguous"
            else ShuffledOrder(self._index, crops, keys)
        )
        self._loader = Loader(
            self._index,
            storage=dataset.storage,
            split=options.split,
            layouts=layouts(dataset.config, options),
            crop_frames=options.crop_frames,
            reads=concurrency.reads,
        )

    def __repr__(self) -> str:
        options, root = self.options, self.dataset.storage.root
        index, count = self._shard
        shard = f", shard {index} of {count}" if count > 1 else ""
        return (
            f"<Reader of {root}, {options.split}: {len(self):,} examples of "
            f"{' and '.join(options.features)}, batches of {options.batch_size}{shard}>"
        )

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _loader=copy.copy(self._loader))
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._index) * self.options.crops_per_window

    def __getitem__(self, key: Any) -> Any:
        """The example at a position in the order of the files, from 0, or from the end below 0.

        An integer gives a dict of one example's arrays, its `recording_id` as a str, `first_frame`
        and `valid_frames` as int; a slice, or a list or array of integers, gives a batch in that
        order. Crops that begin anywhere are those of epoch 0.

        Raises:
            DamagedDataError: If the one window is damaged; a batch leaves it out.
            IndexError: If there is no such position, or the key is of another kind.
        """
        if isinstance(key, slice):
            return self._load(self._range(key))[0]
        if isinstance(key, list | tuple) or (isinstance(key, np.ndarray) and key.ndim):
            return self._load(key)[0]
        return self.__getitems__([key])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[Item]:
        """The examples at some positions that are not damaged, as PyTorch's DataLoader asks.

        Raises `DamagedDataError` where all of them are damaged: PyTorch makes no batch of none.
        """
        batch, problems = self._load(positions)
        items = _items(batch)
        if problems and not items:
            raise DamagedDataError(problems[0])
        return items

    def __contains__(self, example: object) -> NoReturn:
        raise TypeError("a reader does not compare examples; find(recording_id) finds a recording")

    def get(self, position: int) -> Item | None:
        """The example at a position, as `reader[position]`; None where its window is damaged."""
        batch, _ = self._load([position])
        return next(iter(_items(batch)), None)

    def __iter__(self) -> BatchIterator:
        return self._iterator()

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches in an epoch without damaged windows."""
        return -(-len(self) // self.options.batch_size)

    def epoch(self, number: int) -> BatchIterator:
        """The batches of one epoch, from 0: those that `iter(reader)` gives in it."""
        return self._iterator(epoch=whole_number("epoch", number, 0, MAX_SEED))

    def in_order(self) -> BatchIterator:
        """All examples once, in the order of the files: for validation and evaluation."""
        return self._iterator(order=self._file_order, epoch=0)

    def shard(self, index: int, count: int) -> Reader:
        """The reader of one of `count` processes that train together.

        At each step, the processes' batches are together the batch of the whole reader, whose size
        is `batch_size`; their states are the same and are the whole reader's, so that the number of
        processes may change when training resumes. Each of them has a batch at each step: a row
        without valid frames where there is no window for it. `len(reader)` and `reader[i]` remain
        those of the whole split.

        Raises:
            TrainingError: If there is no such shard, this reader is one already, or there are more
                shards than examples in a batch.

        Examples:
            >>> from training import open_dataset
            >>> whole = open_dataset("dataset", batch_size=3)
            >>> parts = [iter(whole.shard(index, 2)) for index in range(2)]
            >>> [len(next(part)["valid_frames"]) for part in parts]
            [2, 1]
        """
        if self._shard != (0, 1):
            raise TrainingError(f"{self!r} is a shard; take shards of the whole reader")
        batch_size = self.options.batch_size
        remedy = ", the batch_size; take fewer shards, or open the dataset with a larger batch_size"
        count = whole_number("count", count, 1, batch_size, remedy=remedy)
        index = whole_number("index", index, 0, count - 1, remedy=f", one less than count={count}")
        shard = copy.copy(self)
        shard._shard = index, count
        return shard

    def as_tf_dataset(
        self,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        strings: bool = False,
    ) -> Any:
        """The batches as a `tf.data.Dataset`, for `model.fit` as it is.

        It has as many batches as an epoch, and says so; when it is iterated again, it delivers the
        epoch after the last one that was delivered to its end, as `fit` does. If a store fails,
        iterators raise `tf.errors.UnknownError` with the message of the `StoreError`; `next` of the
        same iterator then delivers the same batch.

        With a `state`, each iteration begins there and has no end, so `fit` needs
        `steps_per_epoch`. One call of `fit` is one iteration; the next call begins at the state
        again. To resume after `n` whole epochs, give `{"epoch": n, "position": 0}` as the state,
        and `initial_epoch=n` and `steps_per_epoch=reader.batches_per_epoch` to `fit`.

        Args:
            transform: A TensorFlow function from a batch, a dict of tensors, to what the model
                takes, such as `(inputs, targets)` or `(inputs, targets, weights)`.
            state: What `get_state` of an iterator of this reader or of another one with the same
                options gave. It is copied.
            strings: Whether batches hold `recording_id`; no accelerator takes strings.

        Returns:
            A `tf.data.Dataset`. All axes have a static length except the first.

        Raises:
            TrainingError: If TensorFlow is not installed, or the state is wrong.

        Examples:
            >>> from training import open_dataset
            >>> reader = open_dataset("dataset", batch_size=3)
            >>> pairs = reader.as_tf_dataset(lambda batch: (batch["log_mel"], batch["weights"]))
            >>> int(pairs.cardinality()), [tuple(inputs.shape) for inputs, _ in pairs]
            (2, [(3, 430, 128), (1, 430, 128)])
        """
        from training.reading.as_tf import tf_dataset

        def iterate(epoch: int | None) -> BatchIterator:
            return self._iterator(epoch=epoch, keeps_steps=True)

        dataset = tf_dataset(
            iterate,
            layouts=layouts(self.dataset.config, self.options),
            crop_frames=self.options.crop_frames,
            has_begins=self.options.order == "contiguous",
            examples=len(self),
            batches=self.batches_per_epoch,
            state=state,
            strings=strings,
        )
        return dataset if transform is None else dataset.map(transform)

    def epoch_positions(self, epoch: int, first: int, end: int) -> Positions:
        """The windows of the examples `first` to `end` of an epoch, as positions in the order of
        the files: int64 [examples]."""
        numbers = [whole_number("epoch", epoch, 0, MAX_SEED)]
        numbers += [whole_number("example", each, 0, len(self)) for each in (first, end)]
        return self._order.examples(*numbers).positions

    @property
    def recording_ids(self) -> Sequence[str]:
        """The recordings that the split holds windows of, in no particular order."""
        return self._index.recording_ids

    def find(self, recording_id: str) -> int | None:
        """The position of a recording's earliest example, None where the split has none of it.

        Raises `TrainingError` for an id that is not a text.
        """
        if not isinstance(recording_id, str):
            raise TrainingError(f"recording_id={shown(recording_id)} must be a text")
        if recording_id not in self.recording_ids:
            return None
        number = self.recording_ids.index(recording_id)
        windows = np.flatnonzero(self._index.recordings == number)
        first = windows[np.argmin(self._index.first_frames[windows])]
        return int(first) * self.options.crops_per_window

    def memory_plan(self) -> MemoryPlan:
        """What the reader was found to need when it was opened."""
        return self._plan

    @property
    def damaged(self) -> list[str]:
        """A line for each damaged window that this reader met so far, up to `MAX_DAMAGED`.

        Copies of it, such as those in the workers of a data loader and those that `shard` makes,
        note what they meet for themselves.
        """
        return self._loader.damage.descriptions

    @property
    def damaged_count(self) -> int:
        """The number of damaged windows that this reader met so far, see `damaged`."""
        return self._loader.damage.count

    def close(self) -> None:
        """Stops the threads and closes the files.

        Waits for reads that are under way, a second at most; a signal handler may call it. The
        reader can still be used: it then starts threads and opens files again.
        """
        self._loader.close()

    def _iterator(
        self, *, order: Order | None = None, epoch: int | None = None, keeps_steps: bool = False
    ) -> BatchIterator:
        index, count = self._shard
        padding = Padding.STEP if keeps_steps or count > 1 else Padding.NONE
        if order is None and self.options.order == "contiguous":
            padding = Padding.ROWS
        course = Course(
            order=order or self._order,
            size=len(self),
            batch_size=self.options.batch_size,
            shard_index=index,
            shard_count=count,
            padding=padding,
            epoch=epoch,
        )
        return BatchIterator(self._loader, course, self._concurrency)

    def _load(self, positions: Iterable[Any]) -> tuple[Batch, list[str]]:
        """The examples at some positions, see `Loader.load`."""
        numbers = np.array([self._number(each) for each in positions], np.int64)
        return self._loader.load(self._file_order.of(numbers))

    def _range(self, key: slice) -> range:
        """The positions of a slice. Raises `IndexError` where it is none of a sequence."""
        try:
            return range(*key.indices(len(self)))
        except (TypeError, ValueError):
            raise IndexError(
                f"position {shown(key)}: its bounds must be integers or None, and its step not 0"
            ) from None

    def _number(self, position: Any) -> int:
        """A position from 0. Raises `IndexError` where there is none."""
        try:
            number = operator.index(position)
        except TypeError:
            number = None
        if number is None or isinstance(position, bool):
            raise IndexError(f"position {shown(position)}: it must be an integer")
        size = len(self)
        if not -size <= number < size:
            raise IndexError(
                f"position {shown(number)}: split {self.options.split!r} has positions 0 to "
                f"{size - 1}, or -{size} to -1 from the end"
            )
        return number % size


def _items(batch: Batch) -> list[Item]:
    """The rows of a batch, as dicts."""
    plain = ("recording_id", "first_frame", "valid_frames")
    columns: dict[str, Any] = {**batch, **{name: batch[name].tolist() for name in plain}}
    count = len(batch["valid_frames"])
    return [{name: values[row] for name, values in columns.items()} for row in range(count)]
