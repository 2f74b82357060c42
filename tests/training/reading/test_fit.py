"""What `fit`, `evaluate` and `predict` of Keras see of a reader's dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.reading import failing_store, take
from training import open_dataset


class Seeing(keras.Model):
    """Keeps the first frames and the levels of the batches that it is trained and evaluated on."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(4)
        self.trained: list[Any] = []
        self.evaluated: list[Any] = []

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        tf.numpy_function(self.trained.append, [data[0]], [])
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        tf.numpy_function(self.evaluated.append, [data[0]], [])
        return super().test_step(data)


@pytest.fixture
def model() -> Iterator[Seeing]:
    model = Seeing()
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    yield model
    keras.backend.clear_session()


def pairs(batch: dict[str, Any]) -> tuple[Any, ...]:
    return batch["log_mel"], batch["log_mel"], batch["weights"]


def levels(batches: Iterator[dict[str, Any]]) -> list[Any]:
    return [batch["log_mel"] for batch in batches]


def assert_seen(found: list[Any], expected: list[Any]) -> None:
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("batch_size", [3, 16])
def test_fit_sees_epoch_after_epoch(
    root: Path, model: Seeing, built: bool, batch_size: int
) -> None:
    reader = open_dataset(root, batch_size=batch_size)
    dataset = reader.as_tf_dataset(pairs)
    assert [spec.shape.as_list() for spec in dataset.element_spec] == [
        [None, 12, 4], [None, 12, 4], [None, 12],
    ]  # fmt: skip
    if built:
        model(np.zeros((1, 12, 4), np.float32))
    history = model.fit(dataset, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert_seen(model.trained, [*levels(reader.epoch(0)), *levels(reader.epoch(1))])
    model.fit(dataset, epochs=1, verbose=0)
    assert_seen(model.trained[2 * reader.batches_per_epoch :], levels(reader.epoch(2)))


def test_fit_sees_all_epochs_although_keras_looks_at_a_batch_first(root: Path) -> None:
    """As it does to build a model in a distribution strategy, and reads ahead at that."""
    reader = open_dataset(root, batch_size=3)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = Seeing()
        model.compile(optimizer="sgd", loss="mse", jit_compile=False)
        model.fit(reader.as_tf_dataset(pairs), epochs=2, verbose=0)
    assert_seen(model.trained, [*levels(reader.epoch(0)), *levels(reader.epoch(1))])


def test_fit_validates_on_whole_epochs(root: Path, model: Seeing) -> None:
    train = open_dataset(root, batch_size=5)
    validation = open_dataset(root, "validation", batch_size=3)
    model.fit(
        train.as_tf_dataset(pairs),
        validation_data=validation.as_tf_dataset(pairs),
        epochs=3,
        verbose=0,
    )
    expected = [each for epoch in range(3) for each in levels(validation.epoch(epoch))]
    assert_seen(model.evaluated, expected)
    assert len(model.trained) == 3 * train.batches_per_epoch


def test_evaluate_and_predict_see_an_epoch(root: Path, model: Seeing) -> None:
    reader = open_dataset(root, batch_size=5)
    dataset = reader.as_tf_dataset(pairs)
    model.evaluate(dataset, verbose=0)
    assert_seen(model.evaluated, levels(reader.epoch(0)))
    predicted = model.predict(dataset, verbose=0)
    expected = np.concatenate([model.dense(each) for each in levels(reader.epoch(1))])
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-4)


def test_fit_goes_on_from_a_state(root: Path, model: Seeing) -> None:
    reader = open_dataset(root, batch_size=5)
    dataset = reader.as_tf_dataset(pairs, state={"epoch": 1, "position": 10})
    model.fit(dataset, epochs=2, steps_per_epoch=3, verbose=0)
    batches = iter(reader)
    batches.set_state({"epoch": 1, "position": 10})
    assert_seen(model.trained, [batch["log_mel"] for batch in take(batches, 6)])


def test_a_fit_that_is_resumed_after_whole_epochs_is_the_same(root: Path, tmp_path: Path) -> None:
    """In each epoch the same batches, and in the end the same weights."""
    reader = open_dataset(root, batch_size=5)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(4)])
    model.compile("adam", "mse", jit_compile=False)
    dataset = reader.as_tf_dataset(pairs)
    model.fit(dataset, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    whole = model.fit(dataset, initial_epoch=2, epochs=4, verbose=0)
    resumed = keras.models.load_model(tmp_path / "model.keras")
    dataset = reader.as_tf_dataset(pairs, state={"epoch": 2, "position": 0})
    rest = resumed.fit(
        dataset,
        initial_epoch=2,
        epochs=4,
        steps_per_epoch=reader.batches_per_epoch,
        verbose=0,
    )
    assert rest.epoch == whole.epoch == [2, 3]
    assert rest.history == whole.history
    for mine, other in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    keras.backend.clear_session()


def test_each_fit_begins_at_the_state_again(root: Path, model: Seeing) -> None:
    reader = open_dataset(root, batch_size=5)
    dataset = reader.as_tf_dataset(pairs, state={"epoch": 1, "position": 10})
    for _ in range(2):
        model.fit(dataset, epochs=1, steps_per_epoch=3, verbose=0)
    batches = iter(reader)
    batches.set_state({"epoch": 1, "position": 10})
    assert_seen(model.trained, 2 * levels(iter(take(batches, 3))))


def test_a_fit_that_a_store_broke_off_begins_its_epoch_again(root: Path, model: Seeing) -> None:
    reader = open_dataset(root, batch_size=2)
    dataset = reader.as_tf_dataset(pairs)
    model.fit(dataset, epochs=1, verbose=0)
    no_answer = "StoreError: the store does not answer"
    with failing_store(), pytest.raises(tf.errors.UnknownError, match=no_answer):
        model.fit(dataset, epochs=1, verbose=0)
    seen = len(model.trained)
    model.fit(dataset, epochs=1, verbose=0)
    assert_seen(model.trained[seen:], levels(reader.epoch(1)))
