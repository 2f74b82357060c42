"""Iterators over the batches of a reader, which read ahead and can be resumed anywhere."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from training.errors import TrainingError
from training.reading.budget import BATCHES_OF_CALLER, Concurrency
from training.reading.loader import Batch, Loader, Padding, PendingBatch
from training.reading.memory import BatchMemory
from training.reading.options import MAX_SEED
from training.reading.order import Examples, Order
from training.reading.plans import PLANNED_AT_ONCE, BatchPlan
from training.validation import shown, whole_number

State = dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """Which examples make up the batches: `size` of them an epoch, `batch_size` a batch.

    A batch consists of every `shard_count`-th of them from `shard_index` on, without those of
    damaged windows unless `padding` says otherwise. With an `epoch`, that is the only one.
    """

    order: Order
    size: int
    batch_size: int
    shard_index: int = 0
    shard_count: int = 1
    padding: Padding = Padding.NONE
    epoch: int | None = None

    @property
    def first_epoch(self) -> int:
        return 0 if self.epoch is None else self.epoch

    def steps(self, state: State) -> tuple[Examples, list[int], list[State]]:
        """Some steps of one epoch from a state on; none where there are no more.

        The examples of this shard one step after the other, how many each step has, and the state
        in which it ends.
        """
        epoch, position = state["epoch"], state["position"]
        if position == self.size and self.epoch is None:
            epoch, position = epoch + 1, 0
        count = max(1, PLANNED_AT_ONCE // self.batch_size)
        end = min(position + count * self.batch_size, self.size)
        examples = self.order.examples(epoch, position, end)
        steps, rows = np.divmod(np.arange(end - position), self.batch_size)
        mine = np.flatnonzero(rows % self.shard_count == self.shard_index)
        ends = [*range(position + self.batch_size, end, self.batch_size), end]
        ends = ends if end > position else []
        sizes = np.bincount(steps[mine], minlength=len(ends)).tolist()
        examples = examples.take(mine)
        if sizes and not sizes[-1]:
            # Only the last step of an epoch can have fewer examples than there are shards.
            examples, sizes[-1] = examples.with_absent(), 1
        return examples, sizes, [{"epoch": epoch, "position": each} for each in ends]

    def before(self, state: State) -> State | None:
        """Where the step begins that ends in a state, if rows go on from there."""
        if self.padding is not Padding.ROWS or state["position"] in (0, self.size):
            return None
        number = (state["position"] - 1) // self.batch_size
        return {"epoch": state["epoch"], "position": number * self.batch_size}

    def checked(self, state: Mapping[str, Any]) -> State:
        """A state in Python integers; raises `TrainingError` where it is none of this course's."""
        wrong = TrainingError(f"{shown(state)} is not a state of {self._described()}")
        if not isinstance(state, Mapping) or set(state) != {"epoch", "position"}:
            raise wrong
        try:
            epoch = whole_number("epoch", state["epoch"], 0, MAX_SEED)
            position = whole_number("position", state["position"], 0, self.size)
        except TrainingError:
            raise wrong from None
        starts_batch = position % self.batch_size == 0 or position == self.size
        if (self.padding is Padding.ROWS and not starts_batch) or self.epoch not in (None, epoch):
            raise wrong
        return {"epoch": epoch, "position": position}

    def _described(self) -> str:
        epochs = "an epoch from 0" if self.epoch is None else f"epoch {self.epoch}"
        positions = f"a position from 0 to {self.size}"
        if self.padding is Padding.ROWS:
            positions += f" that is a multiple of {self.batch_size}"
        return f"a reader of {self.size} examples: it needs {epochs} and {positions}"


class BatchIterator:
    """Batches in the order of a reader; those that follow are read ahead by threads.

    Without end, one epoch after the other, unless it was made for one epoch. The state is that of
    the batches handed out: {"epoch": number, "position": examples of this epoch that are done}. A
    copy of an iterator, also one in another process, goes on from there; so does the iterator
    itself after an error, such as that of a store that did not answer.
    """

    _process = 0
    _is_begun = False
    _next: State
    _before: State | None
    _lost: frozenset[int]
    _memory: BatchMemory
    _planned: deque[tuple[BatchPlan, State, State]]
    _pending: deque[tuple[PendingBatch, State, State]]
    """Each with the state before and after it."""

    def __init__(self, loader: Loader, course: Course, concurrency: Concurrency) -> None:
        self._loader, self._course, self._concurrency = loader, course, concurrency
        self._state: State = {"epoch": course.first_epoch, "position": 0}
        self._is_barren = False
        self._begin()

    def __iter__(self) -> BatchIterator:
        return self

    def __next__(self) -> Batch:
        while True:
            try:
                self._read_ahead()
                if not self._goes_on():
                    self.forget()
                    continue
                if not self._pending:
                    break
                pending, _, after = self._pending[0]
                batch = self._loader.finish(pending, self._course.padding, self._lost)
                is_barren = self._is_barren_with(batch)
                if is_barren and after["position"] == self._course.size:
                    self._loader.require_windows()
                self._pending.popleft()
                self._read_ahead()
            except BaseException:
                self.forget()
                raise
            self._state, self._is_barren, self._lost = after, is_barren, pending.lost()
            if len(batch["valid_frames"]):
                return batch
        raise StopIteration

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        # Bound here, since modules may be gone when the interpreter ends.
        if self._process == getpid():
            self._cancel()

    def __repr__(self) -> str:
        course, state = self._course, self._state
        epochs = "without end" if course.epoch is None else f"of epoch {course.epoch}"
        at = f"epoch {state['epoch']}, {state['position']:,} of {course.size:,} examples done"
        return f"<batches {epochs}: {at}>"

    def __getstate__(self) -> tuple[Any, ...]:
        return self._loader, self._course, self._concurrency, self._state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._loader, self._course, self._concurrency, self._state = state
        self._is_barren = False
        self._begin()

    def get_state(self) -> State:
        """The state, in Python integers, from which another iterator goes on as this one will."""
        return dict(self._state)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state that `get_state` gave; any position costs the same.

        Its numbers may be numpy's. Raises `TrainingError` for any other state.
        """
        checked = self._course.checked(state)
        self._is_begun = False
        self._state, self._is_barren = checked, False
        self.forget()

    def forget(self) -> None:
        """Drops what was read ahead, and its memory; it is read again if it is needed."""
        # A fork may have copied locks that nobody will release.
        if self._process == os.getpid():
            self._cancel()
        self._begin()

    def _cancel(self) -> None:
        # Another interrupt may leave it at that, and nobody may wait for a batch without tasks.
        self._is_begun = False
        abandoned, self._pending = self._pending, deque()
        for pending, _, _ in abandoned:
            pending.cancel()

    def _goes_on(self) -> bool:
        """Whether what comes next begins at the state.

        An interrupt may have come between any two lines, and another one while it was handled.
        """
        if not self._pending:
            return self._state == self._next
        pending, before, _ = self._pending[0]
        return self._state == before and not pending.is_cancelled

    def _is_barren_with(self, batch: Batch) -> bool:
        """Whether nothing but damage was met since the epoch began, this batch included."""
        begins_epoch = self._state["position"] in (0, self._course.size)
        return (begins_epoch or self._is_barren) and not batch["valid_frames"].any()

    def _read_ahead(self) -> None:
        # A fork takes no threads along, and nobody would ever answer.
        if not self._is_begun or self._process != os.getpid():
            self.forget()
        if self._before is not None:
            # Whether the rows to come begin anew depends on damage to those before them.
            self._plan(self._before)
            plan, _, _ = self._planned.popleft()
            pending = self._loader.begin(plan, self._memory)
            self._loader.finish(pending, self._course.padding)
            self._lost, self._before = pending.lost(), None
        while len(self._pending) < self._concurrency.batches:
            if not self._planned:
                self._plan(self._next)
            if not self._planned:
                return
            plan, before, after = self._planned.popleft()
            self._pending.append((self._loader.begin(plan, self._memory), before, after))

    def _plan(self, state: State) -> None:
        examples, sizes, ends = self._course.steps(state)
        if ends:
            plans = self._loader.plan(examples, sizes)
            self._planned = deque(zip(plans, [state, *ends[:-1]], ends, strict=True))
            self._next = ends[-1]

    def _begin(self) -> None:
        self._next = self._state
        self._before = self._course.before(self._state)
        self._lost = frozenset()
        self._planned = deque()
        self._memory = BatchMemory(self._concurrency.batches + BATCHES_OF_CALLER)
        self._pending = deque()
        self._process, self._is_begun = os.getpid(), True
