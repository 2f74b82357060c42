"""Damaged bytes cost the windows that hold them, and no others, whoever reads them."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from schemas import DamagedDataError
from tests.support.dataset_factory import ALL_FEATURES
from tests.support.reading import all_rows, flipped, name_of, names, payload_bytes, rows
from training import Reader, open_dataset

Rows = list[dict[str, Any]]

READ = ("log_mel", "notes")
"""The other features of a window may be damaged as they like."""

FLIPS = 300
"""Flipped bits, for each interface and file format."""

WINDOW_FRAMES = ALL_FEATURES.window_frames


def first_of_endless(reader: Reader) -> Rows:
    batches, found = iter(reader), []
    for batch in batches:
        if batches.get_state()["epoch"]:
            break
        found += rows(batch)
    return found


def one_by_one(reader: Reader) -> Rows:
    found = []
    for position in range(len(reader)):
        with suppress(DamagedDataError):
            found.append(reader[position])
    return found


def got(reader: Reader) -> Rows:
    found = [reader.get(position) for position in range(len(reader))]
    return [example for example in found if example is not None]


def sharded(reader: Reader) -> Rows:
    return [row for index in range(3) for row in all_rows(reader.shard(index, 3).epoch(0))]


@pytest.fixture(scope="module")
def as_tf() -> Callable[[Reader], Rows]:
    """Iterates each reader's dataset again."""
    datasets: dict[int, Any] = {}

    def read(reader: Reader) -> Rows:
        if id(reader) not in datasets:
            state = {"epoch": 0, "position": 0}
            dataset = reader.as_tf_dataset(state=state, strings=True)
            datasets[id(reader)] = reader, dataset.take(reader.batches_per_epoch)
        found = all_rows(datasets[id(reader)][1].as_numpy_iterator())
        return [{**row, "recording_id": row["recording_id"].decode()} for row in found]

    return read


INTERFACES: dict[str, tuple[Callable[[Reader], Rows], dict[str, Any]]] = {
    "iter": (first_of_endless, {}),
    "epoch": (lambda reader: all_rows(reader.epoch(1)), {}),
    "in_order": (lambda reader: all_rows(reader.in_order()), {}),
    "positions": (one_by_one, {}),
    "get": (got, {}),
    "slice": (lambda reader: rows(reader[::-1]), {}),
    "list": (lambda reader: rows(reader[[0, 3, 3, *range(len(reader))]]), {}),
    "getitems": (lambda reader: reader.__getitems__(range(len(reader))), {}),
    "shards": (sharded, {}),
    "crops": (
        lambda reader: all_rows(reader.epoch(0)),
        {"crop_frames": 5, "crops_per_window": 2},
    ),
    "contiguous": (lambda reader: all_rows(reader.epoch(0)), {"order": "contiguous"}),
    "contiguous crops": (
        lambda reader: all_rows(reader.epoch(0)),
        {"order": "contiguous", "crop_frames": 4},
    ),
}


def contents(found: Iterable[dict[str, Any]]) -> list[tuple[tuple[str, int], bytes]]:
    """What valid rows hold, in a form that is quickly compared."""
    return [
        (name_of(row), b"".join(row[name].tobytes() for name in READ))
        for row in found
        if row["valid_frames"]
    ]


class Damage:
    """Flips random bits of random windows' payloads, and knows which windows must be missing."""

    def __init__(self, root: Path, file_format: str, seed: int) -> None:
        self._rng = random.Random(seed)
        self._payloads = payload_bytes(root, file_format, ALL_FEATURES.features)
        self._names = [name_of(each) for each in rows(open_dataset(root)[:])]
        self.flips = 0
        self.hit: set[tuple[str, int]] = set()

    @contextmanager
    def some(self, most: int = 4) -> Iterator[set[tuple[str, int]]]:
        """While the block runs, some windows are damaged; those whose `READ` features are."""
        lost = set()
        with ExitStack() as flips:
            for number in self._rng.sample(range(len(self._names)), self._rng.randint(1, most)):
                path, *spans = self._payloads[number]
                feature = self._rng.randrange(len(spans))
                first, nbytes = spans[feature]
                position = first + self._rng.randrange(nbytes)
                flips.enter_context(flipped(path, position, 1 << self._rng.randrange(8)))
                self.flips += 1
                if ALL_FEATURES.features[feature] in READ:
                    lost.add(self._names[number])
            self.hit |= lost
            yield lost


def is_of(name: tuple[str, int], windows: set[tuple[str, int]]) -> bool:
    return (name[0], name[1] // WINDOW_FRAMES * WINDOW_FRAMES) in windows


def assert_windows_alone_are_lost(
    root: Path, file_format: str, interface: Callable[[Reader], Rows], options: dict[str, Any]
) -> None:
    reader = open_dataset(root, features=READ, batch_size=5, file_format=file_format, **options)
    sound = contents(interface(reader))
    assert {(name, first // WINDOW_FRAMES) for (name, first), _ in sound} == {
        (name, first // WINDOW_FRAMES) for name, first in names([reader[:]])
    }
    damage = Damage(root, file_format, seed=len(sound))
    while damage.flips < FLIPS:
        with damage.some() as lost:
            found = contents(interface(reader))
        assert found == [each for each in sound if not is_of(each[0], lost)]
    assert contents(interface(reader)) == sound
    assert len(damage.hit) == 16
    if interface is not sharded:
        assert reader.damaged_count == 16


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
@pytest.mark.parametrize("interface", INTERFACES)
def test_exactly_the_damaged_windows_are_missing(
    root: Path, file_format: str, interface: str
) -> None:
    read, options = INTERFACES[interface]
    assert_windows_alone_are_lost(root, file_format, read, options)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_exactly_the_damaged_windows_are_missing_for_tensorflow(
    root: Path, file_format: str, as_tf: Callable[[Reader], Rows]
) -> None:
    assert_windows_alone_are_lost(root, file_format, as_tf, {})


_of_worker: list[Reader] = []


def begin_worker(reader: Reader) -> None:
    _of_worker.append(reader)


def fetch(positions: list[int]) -> Rows:
    """None only where an error says that all of them are damaged."""
    try:
        found = _of_worker[0].__getitems__(positions)
    except DamagedDataError:
        return []
    assert found
    return found


def test_workers_of_a_data_loader_miss_exactly_the_damaged_windows(root: Path) -> None:
    """As PyTorch's: each spawned process gets the reader once, and then lists of positions."""
    reader = open_dataset(root, features=READ, batch_size=5)
    sound = contents(rows(reader[:]))
    batches = [list(range(16))[start : start + 3] for start in range(0, 16, 3)]
    damage = Damage(root, "tfrecord", seed=0)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, begin_worker, (reader,)) as pool:
        while damage.flips < FLIPS:
            with damage.some() as lost:
                fetched = pool.map_async(fetch, batches, chunksize=1).get(timeout=60)
            found = contents(row for batch in fetched for row in batch)
            assert found == [each for each in sound if not is_of(each[0], lost)]
    assert reader.damaged_count == 0
