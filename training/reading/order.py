"""Orders of a split's examples, each a pure function of numbers that are known beforehand.

An example is a window, or a crop of one. It has a number in its epoch, and the orders say which
example that is, so that any of them can be found without those before it.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import permutation_key, permute
from schemas.permutation import splitmix64
from training.reading.index import SplitIndex
from training.reading.options import ReadOptions

Positions = NDArray[np.int64]

NONE = -1
"""In place of a position: a row without a window."""

_CHUNK = 4_096
"""Windows whose order is computed at once: a call for one of them costs as much as for many."""


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Some examples of an epoch, as int64 arrays [examples].

    `positions` are those of their windows in file order, `starts` their first frames in these.
    In contiguous order, `previous` are the positions of the windows that they go on from, `NONE`
    where a recording begins; in other orders it is None.
    """

    positions: Positions
    starts: Positions
    previous: Positions | None = None

    def take(self, rows: slice | Positions) -> Examples:
        """Some of them."""
        previous = None if self.previous is None else self.previous[rows]
        return Examples(self.positions[rows], self.starts[rows], previous)

    def with_absent(self) -> Examples:
        """These, and a row without a window."""
        previous = None if self.previous is None else np.append(self.previous, NONE)
        return Examples(np.append(self.positions, NONE), np.append(self.starts, 0), previous)


class Order(Protocol):
    """The order of the examples of each epoch."""

    def examples(self, epoch: int, first: int, end: int) -> Examples:
        """The examples `first` to `end` of an epoch."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """Makes the keys of everything that is drawn from a dataset's fingerprint, split and seed."""

    fingerprint: str
    split: str
    seed: int

    def key(self, use: str, epoch: int) -> bytes:
        return permutation_key(use, self.fingerprint, self.split, self.seed, epoch)


class FileOrder:
    """Windows in the order of the files; their crops are those of epoch 0."""

    def __init__(self, index: SplitIndex, crops: Crops) -> None:
        self._index, self._crops = index, crops

    def examples(self, epoch: int, first: int, end: int) -> Examples:
        return self.of(np.arange(first, end, dtype=np.int64))

    def of(self, numbers: Positions) -> Examples:
        """The examples of some numbers, in this order."""
        positions, crops = np.divmod(numbers, self._crops.per_window)
        valid_frames = self._index.valid_frames[positions]
        return Examples(positions, self._crops.starts(0, positions, crops, valid_frames))


class ShuffledOrder:
    """A keyed permutation of the windows; the crops of a window follow each other."""

    def __init__(self, index: SplitIndex, crops: Crops, keys: Keys) -> None:
        self._index, self._crops, self._keys = index, crops, keys
        self._held: tuple[int, int, Positions] | None = None

    def examples(self, epoch: int, first: int, end: int) -> Examples:
        numbers = np.arange(first, end, dtype=np.int64)
        places, crops = np.divmod(numbers, self._crops.per_window)
        positions = self._positions(epoch, places)
        valid_frames = self._index.valid_frames[positions]
        return Examples(positions, self._crops.starts(epoch, positions, crops, valid_frames))

    def _positions(self, epoch: int, places: Positions) -> Positions:
        found = np.empty_like(places)
        done = 0
        while done < len(places):
            chunk = int(places[done]) // _CHUNK
            permuted = self._chunk(epoch, chunk)
            end = int(np.searchsorted(places, (chunk + 1) * _CHUNK))
            found[done:end] = permuted[places[done:end] - chunk * _CHUNK]
            done = end
        return found

    def _chunk(self, epoch: int, chunk: int) -> Positions:
        held = self._held  # Another thread may replace it.
        if held is None or held[:2] != (epoch, chunk):
            size = len(self._index)
            places = np.arange(chunk * _CHUNK, min((chunk + 1) * _CHUNK, size), dtype=np.int64)
            held = epoch, chunk, permute(places, size, self._keys.key("epoch", epoch))
            self._held = held
        return held[2]


class ContiguousOrder:
    """Each row of a batch goes on where the same row of the batch before it ended.

    The recordings follow each other in an order drawn for the epoch, and their windows in time.
    This sequence is divided among the `batch_size` rows into runs whose lengths differ by one at
    most, so that only the last batch can be smaller.
    """

    def __init__(self, index: SplitIndex, options: ReadOptions, keys: Keys) -> None:
        self._index, self._options, self._keys = index, options, keys
        self._held: tuple[int, Positions] | None = None

    def examples(self, epoch: int, first: int, end: int) -> Examples:
        crops, size = self._options.crops_per_window, self._options.batch_size
        times, rows = np.divmod(np.arange(first, end, dtype=np.int64), size)
        length, longer = divmod(len(self._index) * crops, size)
        numbers = rows * length + np.minimum(rows, longer) + times
        places, number_in_window = np.divmod(numbers, crops)
        sequence = self._sequence(epoch)
        positions = sequence[places]
        before = np.where(number_in_window > 0, positions, sequence[places - 1])
        begins = (times == 0) | ((number_in_window == 0) & ~self._follows(positions, before))
        return Examples(
            positions,
            number_in_window * self._options.crop_frames,
            np.where(begins, NONE, before),
        )

    def _sequence(self, epoch: int) -> Positions:
        held = self._held  # Another thread may replace it.
        if held is None or held[0] != epoch:
            index = self._index
            count = len(index.recording_ids)
            ranks = permute(np.arange(count), count, self._keys.key("recordings", epoch))
            held = epoch, np.lexsort((index.first_frames, ranks[index.recordings]))
            self._held = held
        return held[1]

    def _follows(self, positions: Positions, before: Positions) -> NDArray[np.bool_]:
        """Whether windows go on where those at `before` end."""
        index = self._index
        same = index.recordings[positions] == index.recordings[before]
        # As windows do not overlap, one is as long as two neighbors are apart.
        distance = index.first_frames[positions] - index.first_frames[before]
        window_frames = self._options.crop_frames * self._options.crops_per_window
        followed: NDArray[np.bool_] = same & (distance == window_frames)
        return followed


@dataclasses.dataclass(frozen=True)
class Crops:
    """Where the crops of a window begin: anywhere in its valid frames, by a hash of their names."""

    keys: Keys
    frames: int
    per_window: int
    window_frames: int

    def starts(
        self, epoch: int, positions: Positions, numbers: Positions, valid_frames: NDArray[np.int32]
    ) -> Positions:
        """The first frames, int64, of the crops `numbers` of the windows at `positions`.

        A crop holds valid frames alone where the window has as many.
        """
        if self.frames == self.window_frames:
            return np.zeros(len(positions), np.int64)
        seed = np.frombuffer(self.keys.key("crop", epoch)[:8], "<u8")[0]
        names = (positions * self.per_window + numbers).astype(np.uint64)
        room = np.maximum(valid_frames - self.frames, 0).astype(np.uint64)
        drawn = splitmix64(splitmix64(names) ^ seed)
        return (drawn % (room + np.uint64(1))).astype(np.int64)


class Tiles(Crops):
    """Crops of a window that follow each other."""

    def starts(
        self, epoch: int, positions: Positions, numbers: Positions, valid_frames: NDArray[np.int32]
    ) -> Positions:
        return numbers * self.frames
