"""Batches as a tf.data.Dataset: what `fit` sees, epoch by epoch."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from schemas.errors import StoreError
from tests.support.oddities import ODDITIES, assert_one_short_line, name_of_oddity
from tests.support.reading import (
    FEATURES,
    assert_batches,
    drain,
    failing_store,
    flipped,
    payload_bytes,
    take,
)
from training import Reader, TrainingError, open_dataset
from training.reading.as_tf import MOST_ITERATORS, _Iterations
from training.reading.iterator import BatchIterator
from training.reading.loader import PendingBatch

ORDERS: Any = [
    {},
    {"crop_frames": 5, "crops_per_window": 2},
    {"order": "contiguous", "crop_frames": 4},
]


@pytest.fixture(scope="module")
def reader(root: Path) -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=5)


def plain(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch whose strings are NumPy's."""
    return {
        name: values.astype(str) if values.dtype == object else values
        for name, values in batch.items()
    }


def read(dataset: Any) -> list[dict[str, Any]]:
    return [plain(batch) for batch in dataset.as_numpy_iterator()]


def without_strings(batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: batch[name] for name in batch if name != "recording_id"} for batch in batches]


@pytest.mark.parametrize("options", ORDERS)
@pytest.mark.parametrize("root_name", ["root", "half_root"])
def test_each_iteration_is_the_next_epoch(
    options: dict[str, Any], root_name: str, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue(root_name)
    reader = open_dataset(root, features=FEATURES, batch_size=5, **options)
    dataset = reader.as_tf_dataset(strings=True)
    for epoch in range(3):
        found = read(dataset)
        assert_batches(found, list(reader.epoch(epoch)))
        assert all(batch["log_mel"].dtype == np.float32 for batch in found)
    assert int(dataset.cardinality()) == len(found) == reader.batches_per_epoch
    plain = reader.as_tf_dataset()
    assert_batches(read(plain), without_strings(list(reader.epoch(0))))


def test_an_epoch_that_was_broken_off_comes_again(root: Path) -> None:
    """Nothing reads ahead, so that the second and last batch was not asked for."""
    reader = open_dataset(root, features=FEATURES, batch_size=8)
    dataset = reader.as_tf_dataset(dict)
    for _ in range(2):
        next(iter(dataset))
        time.sleep(0.2)
    assert_batches(read(dataset), without_strings(list(reader.epoch(0))))
    assert_batches(read(dataset), without_strings(list(reader.epoch(1))))


def iterators_alive() -> int:
    gc.collect()
    return sum(type(each) is BatchIterator for each in gc.get_objects())


def batches_read_ahead() -> int:
    gc.collect()
    return sum(type(each) is PendingBatch for each in gc.get_objects())


@pytest.mark.parametrize("state", [None, {"epoch": 0, "position": 5}])
def test_iterations_that_were_broken_off_do_not_pile_up(reader: Reader, state: Any) -> None:
    before = iterators_alive()
    dataset = reader.as_tf_dataset(state=state)
    for _ in range(40):
        next(iter(dataset))
    assert iterators_alive() - before <= MOST_ITERATORS == 16


def test_a_dataset_that_is_dropped_holds_no_batches(reader: Reader) -> None:
    """TensorFlow lets go neither of its functions nor of what these refer to."""
    before = batches_read_ahead()
    dataset = reader.as_tf_dataset(lambda batch: batch["log_mel"])
    iterations = [iter(dataset) for _ in range(3)]
    expected = [next(each).numpy() for each in iterations]
    del dataset
    assert batches_read_ahead() > before
    assert (next(iterations[0]).numpy() != expected[0]).any()
    iterations.clear()
    assert batches_read_ahead() <= before


@pytest.mark.parametrize("fails", [False, True])
def test_a_dataset_that_is_dropped_while_it_is_read_holds_no_batches(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """The garbage collector may drop it at any moment, in any thread."""
    before = batches_read_ahead()
    iterate = functools.partial(reader._iterator, keeps_steps=True)
    iterations = _Iterations(
        lambda epoch: iterate(epoch=epoch), len(reader), None, FEATURES, strings=False
    )
    where, *_ = iterations.next(iterations.begin())
    assert batches_read_ahead() > before
    sound = BatchIterator.__next__

    def next_and_drop(batches: BatchIterator) -> Any:
        iterations.forget_dropped()
        if fails:
            raise StoreError("the store does not answer")
        return sound(batches)

    with monkeypatch.context() as patched:
        patched.setattr(BatchIterator, "__next__", next_and_drop)
        with pytest.raises(StoreError) if fails else contextlib.nullcontext():
            where, *_ = iterations.next(where)
    assert batches_read_ahead() <= before
    iterations.next(where)  # Somebody may go on with an iteration of it.
    assert batches_read_ahead() > before


def test_an_iteration_that_ends_late_does_not_bring_an_epoch_back(reader: Reader) -> None:
    dataset = reader.as_tf_dataset(strings=True)
    early = dataset.as_numpy_iterator()
    begun = [next(early)]
    for epoch in range(2):
        assert_batches(read(dataset), list(reader.epoch(epoch)))
    assert_batches([plain(batch) for batch in [*begun, *early]], list(reader.epoch(0)))
    assert_batches(read(dataset), list(reader.epoch(2)))


@pytest.mark.parametrize("options", ORDERS)
@pytest.mark.parametrize("count", [2, MOST_ITERATORS + 3])
def test_iterations_may_alternate(root: Path, options: dict[str, Any], count: int) -> None:
    reader = open_dataset(root, features=FEATURES, batch_size=5, **options)
    zipped = tf.data.Dataset.zip((reader.as_tf_dataset(),) * count)
    found = list(zipped.as_numpy_iterator())
    expected = without_strings(list(reader.epoch(0)))
    for column in zip(*found, strict=True):
        assert_batches(list(column), expected)


@pytest.mark.parametrize("state", [None, {"epoch": 0, "position": 0}])
@pytest.mark.parametrize("options", ORDERS)
def test_an_iteration_goes_on_after_a_store_failed(
    root: Path, options: dict[str, Any], state: Any
) -> None:
    reader = open_dataset(root, features=FEATURES, batch_size=2, **options)
    dataset = reader.as_tf_dataset(state=state, strings=True)
    batches = dataset.take(reader.batches_per_epoch).as_numpy_iterator()
    found = [next(batches)]
    no_answer = "StoreError: the store does not answer"
    with failing_store(), pytest.raises(tf.errors.UnknownError, match=no_answer):
        drain(batches, found)
    assert len(found) < reader.batches_per_epoch
    drain(batches, found)
    assert_batches([plain(batch) for batch in found], list(reader.epoch(0)))
    assert_batches(read(dataset.take(1)), [next(reader.epoch(1 if state is None else 0))])


def test_a_state_that_changes_later_does_not_move_a_dataset(reader: Reader) -> None:
    state = {"epoch": 0, "position": 5}
    dataset = reader.as_tf_dataset(state=state, strings=True)
    state["position"] = 10
    assert_batches(read(dataset.take(1)), take(reader.epoch(0), 2)[1:])


def test_shapes_are_static(reader: Reader, root: Path) -> None:
    spec = reader.as_tf_dataset().element_spec
    assert "recording_id" not in spec
    assert "begins" not in spec
    assert {name: (each.shape.as_list(), each.dtype) for name, each in spec.items()} == {
        "log_mel": ([None, 12, 4], tf.float32),
        "waveform": ([None, 48], tf.int16),
        "notes": ([None, 12, 128], tf.uint8),
        "onsets": ([None, 12, 128], tf.uint8),
        "first_frame": ([None], tf.int64),
        "valid_frames": ([None], tf.int32),
        "weights": ([None, 12], tf.float32),
    }
    cropped = open_dataset(root, features="waveform", order="contiguous", crop_frames=3)
    spec = cropped.as_tf_dataset(strings=True).element_spec
    assert spec["waveform"].shape.as_list() == [None, 12]
    assert spec["weights"].shape.as_list() == [None, 3]
    assert (spec["begins"].dtype, spec["recording_id"].dtype) == (tf.bool, tf.string)


@pytest.mark.parametrize("options", ORDERS)
def test_with_a_state_it_goes_on_without_end(root: Path, options: dict[str, Any]) -> None:
    reader = open_dataset(root, features=FEATURES, batch_size=5, **options)
    batches = iter(reader)
    take(batches, reader.batches_per_epoch + 1)
    state = {name: np.int64(number) for name, number in batches.get_state().items()}
    dataset = reader.as_tf_dataset(state=state, strings=True)
    expected = take(batches, 15)
    for _ in range(2):
        assert_batches(read(dataset.take(15)), expected)
    assert int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY


def test_a_wrong_state_is_rejected_at_once(reader: Reader) -> None:
    with pytest.raises(TrainingError, match="is not a state of a reader of 16 examples"):
        reader.as_tf_dataset(state={"epoch": 0, "position": 99})


@pytest.mark.parametrize("value", ODDITIES, ids=name_of_oddity)
def test_any_other_state_is_rejected_on_one_short_line(reader: Reader, value: Any) -> None:
    whole = {"epoch": value, "position": 0}, {"epoch": 0, "position": value}
    for state in (value, *whole, {"epoch": 0}, {**whole[0], "more": value}):
        for call in (
            lambda state=state: reader.as_tf_dataset(state=state),
            lambda state=state: iter(reader).set_state(state),
        ):
            with pytest.raises(TrainingError) as raised:
                call()
            assert_one_short_line(raised.value)


def test_shards_have_datasets_of_their_own(reader: Reader) -> None:
    for index in range(4):
        shard = reader.shard(index, 4)
        dataset = shard.as_tf_dataset(strings=True)
        for epoch in range(2):
            assert_batches(read(dataset), list(shard.epoch(epoch)))
        assert int(dataset.cardinality()) == reader.batches_per_epoch


def test_a_batch_whose_windows_are_all_damaged_is_padding(root: Path) -> None:
    with_damage = open_dataset(root, features=FEATURES, batch_size=1)
    path, (first, _) = payload_bytes(root, "tfrecord", ["onsets"])[3]
    with flipped(path, first):
        found = read(with_damage.as_tf_dataset(strings=True))
    sound = list(open_dataset(root, features=FEATURES, batch_size=1).epoch(0))
    lost = with_damage.epoch_positions(0, 0, 16).tolist().index(3)
    assert len(found) == with_damage.batches_per_epoch == 16
    assert found[lost]["valid_frames"] == [0]
    assert not found[lost]["weights"].any()
    del found[lost], sound[lost]
    assert_batches(found, sound)


def test_without_tensorflow_an_error_says_what_to_install(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(TrainingError, match=r"needs TensorFlow .*pip install '\.\[training\]'$"):
        reader.as_tf_dataset()
