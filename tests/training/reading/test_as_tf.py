"""Batches as a tf.data.Dataset: what `fit` sees, epoch by epoch."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.reading import FEATURES, assert_batches, flipped, payload_bytes, take
from training import Reader, TrainingError, open_dataset

ORDERS: Any = [
    {},
    {"crop_frames": 5, "crops_per_window": 2},
    {"order": "contiguous", "crop_frames": 4},
]


@pytest.fixture(scope="module")
def reader(root: Path) -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=5)


def read(dataset: Any) -> list[dict[str, Any]]:
    return [
        {name: values.astype(str) if values.dtype == object else values
         for name, values in batch.items()}
        for batch in dataset.as_numpy_iterator()
    ]  # fmt: skip


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
