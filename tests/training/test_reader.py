from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import PRESETS, DamagedDataError, Dataset, DatasetError
from tests.support.dataset_factory import CONFIG, make_dataset
from training import Reader, TrainingError, open_dataset
from training.config import LoopConfig, TrainingConfig
from training.reader import BatchIterator, open_splits


@pytest.fixture(scope="module")
def root(small_dataset: Path) -> Path:
    return small_dataset


@pytest.fixture
def damaged_root(tmp_path: Path) -> Path:
    """A dataset whose training window 0 has some wrong bytes."""
    root = make_dataset(tmp_path / "damaged", formats=("tfrecord",))
    index = Dataset(root).index("train/00000-of-00003.tfrecord").table
    damage(root / "train/00000-of-00003.tfrecord", index["log_mel_offset"][0].as_py() + 7)
    return root


def damage(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def take(reader: Reader, count: int, state: dict[str, int] | None = None) -> list[dict[str, Any]]:
    iterator = iter(reader)
    if state is not None:
        iterator.set_state(state)
    return list(itertools.islice(iterator, count))


def names(batches: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [
        (str(name), int(first))
        for batch in batches
        for name, first in zip(batch["recording_id"], batch["first_frame"], strict=True)
    ]


def assert_equal(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        for key in mine:
            np.testing.assert_array_equal(mine[key], other[key])


def test_a_window_is_the_part_of_its_recording(root: Path) -> None:
    reader = open_dataset(root)
    windows = [reader[position] for position in range(len(reader))]
    assert len({(window.recording_id, window.first_frame) for window in windows}) == len(reader)
    for window in windows:
        log_mel = window.features["log_mel"]
        assert log_mel.shape == (CONFIG.window_frames, CONFIG.n_mels)
        assert np.all(log_mel[window.valid_frames :] == np.float32(CONFIG.floor_db))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_epoch_delivers_each_window_once(root: Path, batch_size: int) -> None:
    reader = open_dataset(root, batch_size=batch_size)
    every = {
        (reader[position].recording_id, reader[position].first_frame)
        for position in range(len(reader))
    }
    steps = -(-len(reader) // batch_size)
    batches = take(reader, 2 * steps)
    first, second = names(batches[:steps]), names(batches[steps:])
    assert set(first) == set(second) == every
    assert len(first) == len(second) == len(every)
    assert first != second


def test_in_order_is_file_order_once(root: Path) -> None:
    reader = open_dataset(root, "test", batch_size=4)
    expected = [
        (reader[position].recording_id, reader[position].first_frame)
        for position in range(len(reader))
    ]
    assert names(list(reader.in_order())) == expected


def test_both_formats_give_the_same_batches(root: Path) -> None:
    tfrecord = open_dataset(root, batch_size=4, file_format="tfrecord")
    hdf5 = open_dataset(root, batch_size=4, file_format="hdf5")
    assert_equal(take(tfrecord, 9), take(hdf5, 9))


def test_order_is_a_function_of_fingerprint_seed_and_epoch(root: Path, tmp_path: Path) -> None:
    copy = make_dataset(tmp_path / "copy", shards=2, formats=("hdf5",))
    other_seed = open_dataset(root, batch_size=4, seed=1)
    reader = open_dataset(root, batch_size=4)
    assert names(take(reader, 9)) == names(take(open_dataset(root, batch_size=4), 9))
    assert names(take(reader, 4)) != names(take(other_seed, 4))
    assert names(take(reader, 8)) == names(take(open_dataset(root, batch_size=2), 14))
    assert Dataset(copy).manifest.fingerprint == Dataset(root).manifest.fingerprint
    assert names(take(reader, 9)) == names(take(open_dataset(copy, batch_size=4), 9))


@settings(max_examples=30, deadline=None)
@given(taken=st.integers(0, 12), batch_size=st.integers(1, 20))
def test_going_on_from_a_state_is_as_if_never_stopped(
    root: Path, taken: int, batch_size: int
) -> None:
    iterator = iter(open_dataset(root, batch_size=batch_size))
    for _ in range(taken):
        next(iterator)
    state = iterator.get_state()
    rest = list(itertools.islice(iterator, 5))
    assert_equal(take(open_dataset(root, batch_size=batch_size), 5, state), rest)


def test_set_state_forgets_what_was_read_ahead(root: Path) -> None:
    iterator = iter(open_dataset(root, batch_size=4))
    first = next(iterator)
    next(iterator)
    iterator.set_state({"epoch": 0, "position": 0})
    assert_equal([next(iterator)], [first])


@pytest.mark.parametrize(
    "state",
    [
        {"epoch": 0},
        {"epoch": -1, "position": 0},
        {"epoch": 0, "position": 99},
        {"epoch": 0.0, "position": 0},
        {"epoch": 0, "position": None},
        {"epoch": 2**70, "position": 0},
    ],
)
def test_wrong_state_is_refused(root: Path, state: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match="is not a state of a reader of"):
        iter(open_dataset(root)).set_state(state)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8])
def test_a_state_may_hold_numpy_integers_and_gives_python_ones(root: Path, kind: type) -> None:
    reader = open_dataset(root, batch_size=kind(4), seed=kind(1))
    iterator = iter(reader)
    iterator.set_state({"epoch": kind(1), "position": kind(8)})
    found = list(itertools.islice(iterator, 3))
    plain = open_dataset(root, batch_size=4, seed=1)
    assert_equal(found, take(plain, 3, {"epoch": 1, "position": 8}))
    assert json.loads(json.dumps(iterator.get_state())) == iterator.get_state()
    np.testing.assert_array_equal(
        reader.epoch_positions(kind(1), kind(0), kind(4)), plain.epoch_positions(1, 0, 4)
    )


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("used", [False, True])
def test_copies_go_on_by_themselves(root: Path, copied: Callable[[Any], Any], used: bool) -> None:
    reader = open_dataset(root, batch_size=4)
    iterator = iter(reader)
    if used:
        next(iterator)
    other_reader, other = copied(reader), copied(iterator)
    expected = list(itertools.islice(iterator, 6))
    reader.close()
    assert_equal(list(itertools.islice(other, 6)), expected)
    assert_equal(take(other_reader, 4), take(reader, 4))


def put_batches(reader: Reader, iterator: BatchIterator, found: Any) -> None:
    batches = list(itertools.islice(iterator, 3))
    found.put((batches, reader[0].features["log_mel"], iterator.get_state()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_readers_and_iterators_serve_in_other_processes(root: Path, method: str) -> None:
    """Also those that were used before a fork, whose threads the child does not have."""
    reader = open_dataset(root, batch_size=4)
    iterator = iter(reader)
    next(iterator)
    context: Any = multiprocessing.get_context(method)
    found = context.Queue()
    child = context.Process(target=put_batches, args=(reader, iterator, found), daemon=True)
    child.start()
    batches, window, state = found.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0
    assert_equal(batches, list(itertools.islice(iterator, 3)))
    assert state == iterator.get_state()
    np.testing.assert_array_equal(window, reader[0].features["log_mel"])


def test_a_fork_does_not_wait_for_a_lock_that_another_thread_held(root: Path) -> None:
    reader = open_dataset(root)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=reader.__getitem__, args=(0,), daemon=True)
    with reader._files._lock:
        child.start()
    child.join(60)
    assert child.exitcode == 0


def test_damaged_window_is_left_out_alone(
    damaged_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = open_dataset(damaged_root, batch_size=4)
    lost = (reader._index.recording_ids[reader._index.recordings[0]], reader._index.first_frames[0])
    every = {
        (reader[position].recording_id, reader[position].first_frame)
        for position in range(1, len(reader))
    }
    steps = -(-len(reader) // 4)
    epochs = names(take(reader, 2 * steps))
    assert set(epochs) == every
    assert len(epochs) == 2 * len(every)
    assert lost not in every
    assert len(caplog.records) == len(reader.damaged) == 1
    assert "00000-of-00003.tfrecord: log_mel of window 0" in reader.damaged[0]
    with pytest.raises(DamagedDataError, match="fail their checksum"):
        reader[0]


def test_all_damaged_is_an_error(tmp_path: Path) -> None:
    root = make_dataset(
        tmp_path, frames={"train": (70, 70), "validation": (), "test": ()}, formats=("tfrecord",)
    )
    for path in (root / "train").glob("*.tfrecord"):
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match="every window is damaged"):
        next(iter(open_dataset(root, batch_size=1)))


@pytest.mark.parametrize("batch_size", [1, 16])
def test_suggested_budget_is_the_smallest_that_will_do(root: Path, batch_size: int) -> None:
    with pytest.raises(TrainingError, match="too small: this needs") as raised:
        open_dataset(root, batch_size=batch_size, memory_bytes=1_000)
    needed = int(str(raised.value).split("this needs ")[1].split(" bytes")[0].replace(",", ""))
    reader = open_dataset(root, batch_size=batch_size, memory_bytes=needed)
    assert reader.memory_plan().total == needed
    with pytest.raises(TrainingError):
        open_dataset(root, batch_size=batch_size, memory_bytes=needed - 1)


def test_plan_covers_what_is_held(root: Path) -> None:
    reader = open_dataset(root, batch_size=4)
    plan, index = reader.memory_plan(), reader._index
    columns: list[np.ndarray] = [index.recordings, index.first_frames, index.valid_frames]
    columns += [*index.offsets.values(), *index.checksums.values()]
    assert sum(column.nbytes for column in columns) <= plan.index
    assert 3 * next(iter(reader))["log_mel"].nbytes == plan.batches


def test_tf_dataset_gives_the_same_batches(root: Path) -> None:
    reader = open_dataset(root, batch_size=4)
    state = {"epoch": 1, "position": 8}
    ours = take(reader, 6, state)
    theirs = list(reader.as_tf_dataset(state).take(6).as_numpy_iterator())
    for batch in theirs:
        batch["recording_id"] = np.array([name.decode() for name in batch["recording_id"]])
    assert_equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "rest"}, "has no split 'rest'"),
        ({"features": ("notes",)}, "holds log_mel"),
        ({"features": ()}, "holds log_mel"),
        ({"batch_size": 0}, "batch_size=0 must be an integer from 1 to"),
        ({"batch_size": 2.0}, "batch_size=2.0 must be an integer from 1 to"),
        ({"seed": -1}, "seed=-1 must be an integer from 0 to"),
        ({"memory_bytes": float("nan")}, "memory_bytes=nan must be an integer from 1 to"),
        ({"file_format": "csv"}, "holds tfrecord and hdf5, not 'csv'"),
    ],
)
def test_wrong_options_are_refused(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TrainingError, DatasetError), match=message):
        open_dataset(root, **options)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_default_budget_is_enough_for_every_preset(preset: str, tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS[preset], features=("log_mel",))
    frames = {"train": (1_000, 900), "validation": (900,), "test": (900,)}
    root = make_dataset(tmp_path, config=config, frames=frames, formats=("tfrecord",))
    assert len(open_dataset(root)) > 1
    batch_size, memory_bytes = TrainingConfig().batch_size, LoopConfig().memory_bytes
    splits = ("train", "validation")
    open_splits(Dataset(root), splits, batch_size=batch_size, memory_bytes=memory_bytes)


def test_splits_share_a_budget(root: Path) -> None:
    options = {"batch_size": 4, "memory_bytes": 10**6}
    plans = [
        reader.memory_plan() for reader in open_splits(Dataset(root), ("train", "test"), **options)
    ]
    needed = (plans[0] + plans[1]).total
    assert needed == plans[0].total + plans[1].total
    open_splits(Dataset(root), ("train", "test"), batch_size=4, memory_bytes=needed)
    with pytest.raises(TrainingError, match="too small"):
        open_splits(Dataset(root), ("train", "test"), batch_size=4, memory_bytes=needed - 1)


def test_a_recording_is_found_by_its_id(root: Path) -> None:
    reader = open_dataset(root)
    position = reader.find("train-1")
    assert position is not None
    assert (reader[position].recording_id, reader[position].first_frame) == ("train-1", 0)
    assert reader.find("test-1") is None


def test_empty_split_is_refused(tmp_path: Path) -> None:
    make_dataset(tmp_path, frames={"train": (100,), "validation": (), "test": ()})
    with pytest.raises(TrainingError, match="'test' holds no windows"):
        open_dataset(tmp_path, "test")
    assert len(open_dataset(tmp_path)) == 2


def test_position_outside_is_an_index_error(root: Path) -> None:
    reader = open_dataset(root)
    with pytest.raises(IndexError, match="has positions 0"):
        reader[len(reader)]
