"""Batches of given examples: their bytes are read by threads, checked, and put into arrays."""

from __future__ import annotations

import copy
import enum
import functools
import itertools
import logging
import threading
import traceback
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.concurrency import Task
from schemas.checksums import crc32c
from schemas.errors import StoreError, UnreadableFileError
from schemas.storage import Storage
from schemas.storage.ranges import RangeReader
from training.errors import TrainingError
from training.reading.files import ShardFiles
from training.reading.index import SplitIndex
from training.reading.layout import FeatureLayout
from training.reading.memory import BatchMemory
from training.reading.order import NONE, Examples
from training.reading.plans import MAX_GAP_BYTES, BatchPlan, Part, Read, plan_batches
from training.reading.remedies import MAKE_AGAIN, remedy_of

Batch = dict[str, NDArray[Any]]

MAX_DAMAGED = 100
"""How many descriptions of damaged windows a reader keeps; it counts all of them."""

_LOG = logging.getLogger(__name__)


class Padding(enum.Enum):
    """Which rows of a batch are there, without valid frames, although they have no sound window.

    `NONE` of them; one of a whole `STEP` that would have no rows; or all, so that `ROWS` keep their
    numbers.
    """

    NONE = "none"
    STEP = "step"
    ROWS = "rows"


class Damage:
    """The damaged windows of a split that were met so far, by any thread."""

    def __init__(self, windows: int) -> None:
        self._is_damaged = np.zeros(windows, np.bool_)
        self._descriptions: dict[int, str] = {}

    def note(self, position: int, description: str) -> None:
        """Notes a window once; each line is right whatever another thread does meanwhile."""
        self._is_damaged[position] = True
        if position in self._descriptions or len(self._descriptions) >= MAX_DAMAGED:
            return
        self._descriptions[position] = description
        if description == self.descriptions[0]:
            _LOG.warning("%s; it is left out, as are others like it", description)

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self._is_damaged))

    @property
    def descriptions(self) -> list[str]:
        """A line for each of the first windows, up to `MAX_DAMAGED`."""
        return list(self._descriptions.values())[:MAX_DAMAGED]

    @property
    def is_total(self) -> bool:
        return bool(self._is_damaged.all())


class Loss(NamedTuple):
    """A part that cannot be delivered, its shard, what is wrong, and what to do about it."""

    shard: int
    part: Part
    problem: str
    remedy: str = MAKE_AGAIN


class Loader:
    """Loads examples of one split.

    Args:
        index: Where the windows are.
        storage: The folder of the dataset.
        split: The name of the split, for messages.
        layouts: How each feature becomes an array.
        crop_frames: The frames of an example.
        reads: How many reads are under way at once: all but one by threads, and one by the caller
            while it waits.
    """

    def __init__(
        self,
        index: SplitIndex,
        *,
        storage: Storage,
        split: str,
        layouts: Mapping[str, FeatureLayout],
        crop_frames: int,
        reads: int,
    ) -> None:
        self.damage = Damage(len(index))
        self._index, self._storage, self._split = index, storage, split
        self._layouts, self._crop_frames, self._reads = layouts, crop_frames, reads
        self._files = ShardFiles(storage, threads=reads - 1)

    def __getstate__(self) -> dict[str, Any]:
        """A copy has threads, files and damage of its own."""
        damage = Damage(len(self._index))
        return {**self.__dict__, "damage": damage, "_files": copy.copy(self._files)}

    def plan(self, examples: Examples, sizes: Sequence[int]) -> list[BatchPlan]:
        """Plans the batches of some sizes that follow each other in `examples`."""
        return plan_batches(self._index, examples, sizes, tuple(self._layouts), self._crop_frames)

    def begin(self, plan: BatchPlan, memory: BatchMemory) -> PendingBatch:
        """Begins to load a batch into some memory."""
        arrays = memory.arrays(self._layouts, len(plan.valid_frames))
        batch = PendingBatch(plan, self._layouts, self._crop_frames, arrays)
        reads = plan.reads
        count = min(len(reads), self._reads)
        bounds = [len(reads) * number // count for number in range(count + 1)] if reads else []
        batch.tasks = [
            self._files.submit(functools.partial(self._run, reads[first:end], batch))
            for first, end in itertools.pairwise(bounds)
        ]
        return batch

    def load(self, examples: Examples) -> tuple[Batch, list[str]]:
        """A batch without the examples of damaged windows; a line for each loss, and its remedy."""
        (plan,) = self.plan(examples, [len(examples.positions)])
        pending = self.begin(plan, BatchMemory(0))
        problems = self._noted(pending)
        return pending.batch(Padding.NONE), problems

    def finish(
        self, pending: PendingBatch, padding: Padding, lost_before: Collection[int] = ()
    ) -> Batch:
        """Waits for a batch; raises what a task raised.

        `lost_before` are the positions of the windows that the step before it lost.
        """
        self._noted(pending)
        return pending.batch(padding, lost_before)

    def require_windows(self) -> None:
        """Raises `TrainingError` where all windows were found to be damaged."""
        if self.damage.is_total:
            raise TrainingError(
                f"{self._storage.path(self._split)}: every window is damaged, the first: "
                f"{self.damage.descriptions[0]}; check that the folder is complete and mounted, "
                "or make the dataset again"
            )

    def close(self) -> None:
        self._files.close()

    def _noted(self, pending: PendingBatch) -> list[str]:
        """Waits for a batch, and notes what it lost: a line for each, and its remedy."""
        problems = []
        try:
            losses = pending.wait()
        except BaseException:
            pending.cancel()
            raise
        for loss in losses:
            shard = self._storage.path(self._index.shards[loss.shard])
            window = f"{loss.part.feature} of window {loss.part.position} of {self._split}"
            description = f"{shard}: {window}: {loss.problem}"
            self.damage.note(loss.part.position, description)
            problems.append(f"{description}; {loss.remedy}")
        return problems

    def _run(self, reads: Sequence[Read], batch: PendingBatch) -> list[Loss]:
        groups = itertools.groupby(reads, lambda read: read.shard)
        return [
            loss
            for shard, of_shard in groups
            for loss in self._run_shard(shard, list(of_shard), batch)
        ]

    def _run_shard(self, shard: int, reads: Sequence[Read], batch: PendingBatch) -> list[Loss]:
        """Nothing refers to the file once this ends, so that it may make room for the next."""
        name = self._index.shards[shard]
        try:
            return self._fetch_all(name, reads, batch)
        except StoreError as error:
            self._files.forget(name)  # A shared disk may have forgotten it as well.
            traceback.clear_frames(error.__traceback__)  # Somebody may keep the error.
            raise
        except UnreadableFileError as error:
            parts = (part for read in reads for part in read.parts)
            return [Loss(shard, part, error.cause, remedy_of(error)) for part in parts]

    def _fetch_all(self, name: str, reads: Sequence[Read], batch: PendingBatch) -> list[Loss]:
        file = self._files.opened(name)
        losses: list[Loss] = []
        for read in reads:
            batch.require_wanted()
            losses += self._fetch(file, read, batch)
        return losses

    def _fetch(self, file: RangeReader, read: Read, batch: PendingBatch) -> list[Loss]:
        losses: list[Loss] = []
        buffers, views = batch.buffers(read)
        try:
            end = read.offset + file.read_into(read.offset, buffers)
        except UnreadableFileError as error:
            if len(read.parts) == 1:
                return [Loss(read.shard, read.parts[0], error.cause, remedy_of(error))]
            end = None
        if end is None:
            # Of those that were read together, only what cannot be read by itself is lost.
            for part in read.parts:
                losses += self._fetch(file, Read.of(read.shard, [part]), batch)
            return losses
        for part, view in zip(read.parts, views, strict=True):
            if part.offset + part.nbytes <= end and crc32c(view) == part.crc:
                batch.take(part, view)
            else:
                losses.append(Loss(read.shard, part, _problem(part, max(0, end - part.offset))))
        return losses


def _problem(part: Part, found: int) -> str:
    """What is wrong with a part if the file has `found` bytes from its offset on."""
    if found < part.nbytes:
        return f"{found} of {part.nbytes} bytes at {part.offset}: the file was cut short"
    return f"the {part.nbytes} bytes at {part.offset} fail their checksum"


class PendingBatch:
    """A batch whose arrays are being filled.

    Where examples are the stored bytes as they are, these are read into the arrays themselves;
    otherwise into memory of the thread's own, from which `take` copies what belongs to the batch.
    """

    def __init__(
        self,
        plan: BatchPlan,
        layouts: Mapping[str, FeatureLayout],
        crop_frames: int,
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        self._plan, self._layouts = plan, layouts
        self._crop_frames, self._arrays = crop_frames, arrays
        self._direct = {
            name: array.reshape(-1).view(np.uint8).data
            for name, array in arrays.items()
            if layouts[name].is_direct
        }
        self._lost: list[int] = []
        self.tasks: list[Task[list[Loss]]] = []
        self.is_cancelled = False

    def buffers(self, read: Read) -> tuple[list[memoryview], list[memoryview]]:
        """Where the bytes of a read go, gaps included, and where those of each part do."""
        buffers: list[memoryview] = []
        views: list[memoryview] = []
        end = read.offset
        scratch = None
        for _, rows, feature, offset, nbytes, _ in read.parts:
            if offset > end:
                buffers.append(_GAP[: offset - end])
            memory = self._direct.get(feature)
            if memory is not None:
                first = rows[0] * nbytes
            else:
                memory = scratch = _scratch(read.nbytes) if scratch is None else scratch
                first = offset - read.offset
            view = memory[first : first + nbytes]
            buffers.append(view)
            views.append(view)
            end = offset + nbytes
        return buffers, views

    def take(self, part: Part, stored: memoryview) -> None:
        """Puts the bytes of a part, which are right, into the rows that need them."""
        rows = part.rows
        if part.feature in self._direct:
            if len(rows) == 1:
                return
            rows = rows[1:]
        layout, array = self._layouts[part.feature], self._arrays[part.feature]
        for row in rows:
            array[row] = layout.crop(stored, int(self._plan.examples.starts[row]))

    def require_wanted(self) -> None:
        """Raises `CancelledError` where nobody wants the batch anymore."""
        if self.is_cancelled:
            raise CancelledError

    def cancel(self) -> None:
        """Does without the batch; a read that a thread has begun is its last one."""
        self.is_cancelled = True
        # They refer to this batch, and an error that one of them holds refers to much more.
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()

    def wait(self) -> list[Loss]:
        """What could not be delivered, once all is read."""
        self.require_wanted()
        losses: list[Loss] = []
        for task in reversed(self.tasks):  # Threads begin with the first of them.
            losses += task.result()
        self.tasks = []
        self._lost = [row for loss in losses for row in loss.part.rows]
        return losses

    def lost(self) -> frozenset[int]:
        """The positions of the windows that were lost."""
        return frozenset(self._plan.examples.positions[self._lost].tolist())

    def batch(self, padding: Padding, lost_before: Collection[int] = ()) -> Batch:
        """What was read, as `Loader.finish` says."""
        plan = self._plan
        is_lost = plan.examples.positions == NONE
        is_lost[self._lost] = True
        plan.valid_frames[is_lost] = 0
        batch: Batch = {
            **self._arrays,
            "recording_id": plan.recording_ids,
            "first_frame": plan.first_frames,
            "valid_frames": plan.valid_frames,
            "weights": _weights(plan.valid_frames, self._crop_frames),
        }
        previous = plan.examples.previous
        if previous is not None:
            batch["begins"] = (previous == NONE) | np.isin(previous, list(lost_before))
        if not is_lost.any():
            return batch
        if padding is Padding.STEP and is_lost.all():
            batch = {name: array[:1] for name, array in batch.items()}
            is_lost = is_lost[:1]
        elif padding is not Padding.ROWS:
            return {name: array[~is_lost] for name, array in batch.items()}
        for name, layout in self._layouts.items():
            batch[name][is_lost] = layout.padding
        return batch


def _weights(valid_frames: NDArray[np.int32], frames: int) -> NDArray[np.float32]:
    """1 in valid frames and 0 in the others: float32 [examples, frames]."""
    weights = np.ones((len(valid_frames), frames), np.float32)
    for row in np.flatnonzero(valid_frames < frames).tolist():
        weights[row, valid_frames[row] :] = 0
    return weights


_GAP = memoryview(bytearray(MAX_GAP_BYTES))
"""Takes the bytes between parts, which nobody looks at."""

_OF_THREAD = threading.local()


def _scratch(nbytes: int) -> memoryview:
    """Memory of this thread, which its next call may hand out again."""
    held: memoryview | None = getattr(_OF_THREAD, "memory", None)
    if held is None or len(held) < nbytes:
        held = _OF_THREAD.memory = memoryview(bytearray(nbytes))
    return held[:nbytes]
