from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import DamagedDataError, Dataset, DatasetError
from tests.support.dataset_factory import CONFIG, make_dataset
from training import Reader, TrainingError, open_dataset
from training.reader import open_splits


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
    windows = [reader[place] for place in range(len(reader))]
    assert len({(window.recording_id, window.first_frame) for window in windows}) == len(reader)
    for window in windows:
        log_mel = window.features["log_mel"]
        assert log_mel.shape == (CONFIG.window_frames, CONFIG.n_mels)
        assert np.all(log_mel[window.valid_frames :] == np.float32(CONFIG.floor_db))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_epoch_delivers_each_window_once(root: Path, batch_size: int) -> None:
    reader = open_dataset(root, batch_size=batch_size)
    every = {
        (reader[place].recording_id, reader[place].first_frame) for place in range(len(reader))
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
        (reader[place].recording_id, reader[place].first_frame) for place in range(len(reader))
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
    "state", [{"epoch": 0}, {"epoch": -1, "position": 0}, {"epoch": 0, "position": 99}]
)
def test_wrong_state_is_refused(root: Path, state: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match="no state of a reader of"):
        iter(open_dataset(root)).set_state(state)


def test_damaged_window_is_left_out_alone(
    damaged_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = open_dataset(damaged_root, batch_size=4)
    lost = (reader._index.recording_ids[reader._index.recordings[0]], reader._index.first_frames[0])
    every = {
        (reader[place].recording_id, reader[place].first_frame) for place in range(1, len(reader))
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
        ({"batch_size": 0}, "batch_size=0 must be a positive integer"),
        ({"file_format": "csv"}, "holds tfrecord and hdf5, not 'csv'"),
    ],
)
def test_wrong_options_are_refused(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TrainingError, DatasetError), match=message):
        open_dataset(root, **options)


def test_splits_share_a_budget(root: Path) -> None:
    options = {"batch_size": 4, "memory_bytes": 10**6}
    plans = [reader.memory_plan() for reader in open_splits(root, ("train", "test"), **options)]
    needed = (plans[0] + plans[1]).total
    assert needed == plans[0].total + plans[1].total
    open_splits(root, ("train", "test"), batch_size=4, memory_bytes=needed)
    with pytest.raises(TrainingError, match="too small"):
        open_splits(root, ("train", "test"), batch_size=4, memory_bytes=needed - 1)


def test_a_recording_is_found_by_its_id(root: Path) -> None:
    reader = open_dataset(root)
    place = reader.find("train-1")
    assert place is not None
    assert (reader[place].recording_id, reader[place].first_frame) == ("train-1", 0)
    assert reader.find("test-1") is None


def test_empty_split_is_refused(tmp_path: Path) -> None:
    make_dataset(tmp_path, frames={"train": (100,), "validation": (), "test": ()})
    with pytest.raises(TrainingError, match="'test' holds no windows"):
        open_dataset(tmp_path, "test")
    assert len(open_dataset(tmp_path)) == 2


def test_place_outside_is_an_index_error(root: Path) -> None:
    reader = open_dataset(root)
    with pytest.raises(IndexError, match="has places 0"):
        reader[len(reader)]
