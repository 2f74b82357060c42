from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Dataset
from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.independent_reader import permute, round_keys
from tests.support.reading import (
    FEATURES,
    all_rows,
    assert_batches,
    assert_examples,
    epoch_order,
    example_of,
    names,
    stored_windows,
    take,
)
from training import Reader, TrainingError, open_dataset
from training.reading.index import SplitIndex
from training.reading.order import Crops, Keys, ShuffledOrder

WINDOWS = 16


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 2**63 - 1),
    batch_size=st.integers(1, 20),
    file_format=st.sampled_from(["tfrecord", "hdf5"]),
)
def test_an_epoch_is_the_documented_permutation(
    root: Path, seed: int, epoch: int, batch_size: int, file_format: str
) -> None:
    options: Any = {"features": FEATURES, "seed": seed, "file_format": file_format}
    reader = open_dataset(root, batch_size=batch_size, **options)
    windows = stored_windows(root)
    order = epoch_order(root, "train", seed, epoch)
    batches = list(reader.epoch(epoch))
    assert_examples(all_rows(batches), [example_of(windows[position]) for position in order])
    sizes = [len(batch["valid_frames"]) for batch in batches]
    full, rest = divmod(WINDOWS, batch_size)
    assert sizes == [batch_size] * full + [rest] * (rest > 0)
    assert reader.batches_per_epoch == len(batches)
    assert reader.epoch_positions(epoch, 0, WINDOWS).tolist() == order


@pytest.mark.parametrize("batch_size", [1, 5, 16, 100])
def test_endless_batches_are_one_epoch_after_the_other(root: Path, batch_size: int) -> None:
    reader = open_dataset(root, batch_size=batch_size)
    epochs = [list(reader.epoch(number)) for number in range(3)]
    endless = take(iter(reader), 3 * reader.batches_per_epoch)
    assert_batches(endless, [batch for epoch in epochs for batch in epoch])
    first, second, third = (names(epoch) for epoch in epochs)
    assert first != second != third
    assert sorted(first) == sorted(second) == sorted(third)
    assert len(set(first)) == WINDOWS


def test_an_epoch_ends_and_its_state_leads_to_the_next(root: Path) -> None:
    reader = open_dataset(root, batch_size=5)
    epoch = reader.epoch(3)
    assert len(list(epoch)) == 4
    assert next(epoch, None) is None
    assert epoch.get_state() == {"epoch": 3, "position": WINDOWS}
    endless = iter(reader)
    endless.set_state(epoch.get_state())
    assert_batches(take(endless, 4), list(reader.epoch(4)))


@pytest.mark.parametrize("number", [-1, 2**63, 1.0, None, "0"])
def test_no_such_epoch(root: Path, number: object) -> None:
    with pytest.raises(TrainingError, match=f"epoch={number!r} must be an integer from 0"):
        open_dataset(root).epoch(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_in_order_is_each_window_of_the_files(root: Path, split: str, file_format: str) -> None:
    reader = open_dataset(
        root, split, features=FEATURES, batch_size=5, file_format=file_format, seed=9
    )
    expected = [example_of(window) for window in stored_windows(root, split)]
    assert_examples(all_rows(reader.in_order()), expected)
    ordered = reader.in_order()
    assert len(list(ordered)) == -(-len(expected) // 5)
    assert ordered.get_state() == {"epoch": 0, "position": len(expected)}


def test_the_order_depends_on_the_seed_and_on_neither_files_nor_batches(
    root: Path, tmp_path: Path
) -> None:
    other = make_dataset(
        tmp_path, config=ALL_FEATURES, frames=FEW_FRAMES, shards=5, formats=("hdf5",)
    )
    assert Dataset(other).manifest.fingerprint == Dataset(root).manifest.fingerprint
    order = names(open_dataset(root).epoch(1))
    assert names(open_dataset(other, batch_size=3).epoch(1)) == order
    assert names(open_dataset(root, seed=1).epoch(1)) != order


def test_the_order_depends_on_neither_memory_nor_threads(root: Path) -> None:
    """A store is read by more threads than there are cores."""
    store = fsspec.filesystem("memory")
    store.put(str(root), "/order-of-batches", recursive=True)

    def read(path: Path | str, memory_bytes: int) -> tuple[int, Reader]:
        reader = open_dataset(path, features=FEATURES, batch_size=3, memory_bytes=memory_bytes)
        return reader.memory_plan().total, reader

    try:
        found = [
            read(path, memory)
            for path in (root, "memory://order-of-batches")
            for memory in (2_000_000, 4_000_000, 8_000_000, 10**9)
        ]
        assert len({total for total, _ in found}) >= 4
        batches = [take(iter(reader), 12) for _, reader in found]
    finally:
        store.rm("/order-of-batches", recursive=True)
    for each in batches[1:]:
        assert_batches(each, batches[0])


@settings(max_examples=50, deadline=None)
@given(data=st.data(), count=st.sampled_from([1, 2, 4_095, 4_096, 4_097, 20_000]))
def test_any_part_of_a_large_epoch(data: st.DataObject, count: int) -> None:
    index = SplitIndex(
        shards=("x",),
        shard_starts=np.array([0, count]),
        recording_ids=("a",),
        recordings=np.zeros(count, np.int32),
        first_frames=np.arange(count),
        valid_frames=np.ones(count, np.int32),
        offsets={},
        checksums={},
        nbytes={},
    )
    keys = Keys("f", "train", 5)
    order = ShuffledOrder(index, Crops(keys, frames=1, per_window=2, window_frames=1), keys)
    for epoch, size in itertools.product((0, 7), (1, 10, 5_000)):
        first = data.draw(st.integers(0, 2 * count))
        end = min(first + size, 2 * count)
        key = round_keys(["epoch", "f", "train", 5, epoch])
        found = order.examples(epoch, first, end).positions
        assert len(found) == end - first
        for number in {0, len(found) // 2, len(found) - 1} - {-1} if len(found) else ():
            assert found[number] == permute((first + number) // 2, count, key)
