from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import tensorflow as tf

from training import open_dataset
from training.config import TrainingConfig
from training.fitting.batches import reader_state, training_batches, with_gain

FLOOR_DB = -80.0


def windows() -> np.ndarray:
    """dB, float32 [3, 5, 4]; some are at the floor."""
    values = np.random.default_rng(0).normal(-60, 20, (3, 5, 4)).astype(np.float32)
    return np.maximum(values, np.float32(FLOOR_DB))


def gained(gain_db: float, seed: list[int], **others: np.ndarray) -> dict[str, np.ndarray]:
    """The windows, and what is beside them, with gains."""
    batch = {"log_mel": tf.constant(windows()), **others}
    found = with_gain(batch, gain_db, tf.constant(seed), FLOOR_DB)
    return {name: np.asarray(each) for name, each in found.items()}


def test_a_state_is_that_of_an_iterator_after_as_many_steps(small_dataset: Path) -> None:
    reader = open_dataset(small_dataset, batch_size=5)
    assert len(reader) % 5
    batches = iter(reader)
    for step in range(1, 2 * reader.batches_per_epoch + 2):
        next(batches)
        found = iter(reader)
        found.set_state(reader_state(reader, step))
        expected = next(copy.copy(batches))
        np.testing.assert_array_equal(next(found)["log_mel"], expected["log_mel"])


def test_the_batches_of_a_step_do_not_depend_on_where_training_was_resumed(
    small_dataset: Path,
) -> None:
    reader = open_dataset(small_dataset, batch_size=5)
    training = TrainingConfig(gain_db=6.0)
    whole = list(training_batches(reader, training, 0).take(9))
    for step in (1, 4, 7):
        rest = training_batches(reader, training, step).take(9 - step)
        for found, expected in zip(rest, whole[step:], strict=True):
            for mine, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(mine, other)


def test_a_gain_is_added_to_whole_windows_above_the_floor() -> None:
    louder = gained(6.0, [0, 1])["log_mel"]
    loudest = windows().reshape(3, -1).argmax(axis=1)
    gains = (louder - windows()).reshape(3, -1)[np.arange(3), loudest]
    assert np.abs(gains).max() <= 6
    assert len(np.unique(gains)) == 3
    is_floor = windows() == FLOOR_DB
    assert is_floor.any()
    assert (louder[is_floor] == FLOOR_DB).all()
    shifted = np.maximum(windows() + gains[:, np.newaxis, np.newaxis], FLOOR_DB)
    np.testing.assert_allclose(louder[~is_floor], shifted[~is_floor], atol=1e-4)


def test_gains_are_a_function_of_the_seed_and_of_the_step() -> None:
    def drawn(seed: int, step: int) -> np.ndarray:
        return gained(6.0, [seed, step])["log_mel"]

    np.testing.assert_array_equal(drawn(1, 2), drawn(1, 2))
    assert (drawn(1, 2) != drawn(1, 3)).any()
    assert (drawn(1, 2) != drawn(2, 2)).any()
    np.testing.assert_array_equal(gained(0.0, [0, 1])["log_mel"], windows())


def test_a_waveform_has_the_gain_of_its_levels() -> None:
    waveform = np.random.default_rng(1).integers(-999, 999, (3, 20)).astype(np.int16)
    louder = gained(6.0, [0, 1], waveform=waveform)
    loudest = windows().reshape(3, -1).argmax(axis=1)
    gains = (louder["log_mel"] - windows()).reshape(3, -1)[np.arange(3), loudest]
    expected = waveform * 10 ** (gains[:, np.newaxis] / 20)
    np.testing.assert_allclose(louder["waveform"], expected, rtol=1e-4)


def test_no_thread_tunes_the_batches(small_dataset: Path) -> None:
    """TensorFlow ends that thread when it next wakes, which takes up to a minute."""
    batches = training_batches(open_dataset(small_dataset, batch_size=2), TrainingConfig(), 0)
    assert batches.options().autotune.enabled is False
