from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Dataset
from training import TrainingError, open_dataset
from training.grid import dequantize, quantize
from training.models import (
    BitsPerDimension,
    FrameCount,
    FrameModel,
    FrameModelConfig,
    NegativeLogLikelihood,
    density_example,
)
from training.models.likelihood import MAX_BITS, Mixture, mean_db

N_MELS = 8


def model_of(**settings: Any) -> FrameModel:
    """A small model with statistics, and with random weights in place of its first ones."""
    model = FrameModel(FrameModelConfig(**{"n_mels": N_MELS, "units": (12,), **settings}))
    model.set_statistics(np.linspace(-20, -60, N_MELS), np.linspace(5, 12, N_MELS))
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


def windows(seed: int = 0, count: int = 2, frames: int = 9) -> np.ndarray:
    """dB off the grid, float32 [count, frames, N_MELS]."""
    return np.random.default_rng(seed).normal(-40, 15, (count, frames, N_MELS)).astype(np.float32)


def compiled(model: FrameModel) -> FrameModel:
    model.compile(
        keras.optimizers.Adam(0.01),
        loss=NegativeLogLikelihood(),
        weighted_metrics=[BitsPerDimension()],
    )
    return model


@pytest.mark.parametrize("recurrent", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("head", ["chained", "independent"])
def test_steps_give_what_the_sequence_gives(recurrent: str, head: str) -> None:
    model = model_of(recurrent=recurrent, head=head, units=(12, 7))
    whole = model(windows()).numpy()
    state = model.start(2)
    for number, levels in enumerate(np.swapaxes(quantize(windows()), 0, 1)):
        packed, state = model.hear(state, tf.constant(levels))
        np.testing.assert_allclose(packed, whole[:, number], rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(frame=st.integers(0, 8), mel=st.integers(0, N_MELS - 1))
def test_a_frame_changes_the_bins_above_and_the_frames_after_it_alone(frame: int, mel: int) -> None:
    model, other = model_of(), windows()
    other[:, frame, mel] += 20
    changed = (model(windows()).numpy() != model(other).numpy()).any(axis=(0, 2))
    expected = np.zeros_like(changed)
    expected[frame, mel + 1 :] = True
    expected[frame + 1 :] = True
    assert not (changed & ~expected).any()
    assert changed[frame, mel + 1 :].all()
    assert changed[frame + 1 : frame + 2].all()


def test_levels_between_those_of_the_grid_are_heard_as_the_nearest() -> None:
    model = model_of()
    on_the_grid = dequantize(quantize(windows()))
    np.testing.assert_array_equal(model(windows()), model(on_the_grid))


@pytest.mark.parametrize("recurrent", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("head", ["chained", "independent"])
def test_a_saved_model_is_the_same_bit_for_bit(recurrent: str, head: str, tmp_path: Path) -> None:
    settings = {"noise": 0.3, "dropout": 0.1, "components": 2, "seed": 5}
    model = model_of(recurrent=recurrent, head=head, **settings)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, FrameModel)
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.hearing.mean_db, model.hearing.mean_db)
    assert again(windows()).numpy().tobytes() == model(windows()).numpy().tobytes()


def test_training_goes_on_from_a_saved_model_bit_for_bit(tmp_path: Path) -> None:
    """With the optimizer's state, and with the noise and the dropout that come next."""
    batch = (windows(), windows(), np.ones((2, 9), np.float32))
    model = compiled(model_of(dropout=0.2))
    model.train_on_batch(*batch)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, again):
        for _ in range(3):
            each.train_on_batch(*batch)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_exported_model_gives_the_same_outputs(tmp_path: Path) -> None:
    model = model_of()
    any_length = keras.InputSpec(shape=(None, None, N_MELS), dtype="float32")
    model.export(tmp_path / "exported", input_signature=[any_length], verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for log_mel in (windows(), windows(count=3, frames=20)):
        found = exported.serve(tf.constant(log_mel))
        np.testing.assert_allclose(found, model(log_mel), rtol=1e-5, atol=1e-4)


def test_a_model_of_another_grid_is_rejected() -> None:
    config = model_of().get_config()
    config["grid"] = {"lowest_db": -100.0, "step_db": 1.0, "n_levels": 161}
    with pytest.raises(TrainingError, match=r"grid of levels .*'step_db': 1.0.*the version that"):
        FrameModel.from_config(config)


def test_fit_learns_and_evaluates_from_a_reader(small_dataset: Path) -> None:
    statistics = Dataset(small_dataset).manifest.statistics
    assert statistics is not None
    model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(16,)))
    model.set_statistics(statistics.mean, statistics.std)
    train, validation = (
        open_dataset(small_dataset, split, batch_size=4).as_tf_dataset(density_example)
        for split in ("train", "validation")
    )
    history = (
        compiled(model)
        .fit(
            train,
            validation_data=validation,
            epochs=12,
            callbacks=[keras.callbacks.EarlyStopping("val_bits", mode="min", patience=12)],
            verbose=0,
        )
        .history
    )
    assert history["val_bits"][-1] < history["val_bits"][0] - 0.3


def test_padding_weighs_nothing() -> None:
    model = compiled(model_of())
    padded = windows()
    padded[1, 5:] = -100
    weights = np.ones((2, 9), np.float32)
    weights[1, 5:] = 0
    loss, bits = model.evaluate(padded, padded, sample_weight=weights, verbose=0)
    parts = [
        (count, model.evaluate(*[padded[row : row + 1, :count]] * 2, verbose=0)[1])
        for row, count in enumerate((9, 5))
    ]
    expected = sum(count * each for count, each in parts) / 14
    np.testing.assert_allclose(bits, expected, rtol=1e-5)
    np.testing.assert_allclose(loss, expected * np.log(2), rtol=1e-5)


def test_noise_is_heard_in_training_alone() -> None:
    model = model_of()
    quiet = model(windows()).numpy()
    np.testing.assert_array_equal(model(windows(), training=False), quiet)
    assert (model(windows(), training=True).numpy() != quiet).any()
    without = model_of(noise=0.0)
    assert without(windows(), training=True).numpy().tobytes() == quiet.tobytes()


def test_the_first_weights_are_a_function_of_the_seed() -> None:
    def first(seed: int) -> np.ndarray:
        model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(12,), seed=seed))
        return np.asarray(model(windows()))

    np.testing.assert_array_equal(first(1), first(1))
    assert (first(1) != first(2)).any()


def test_no_frame_costs_more_than_the_floor_does() -> None:
    model = compiled(model_of())
    absurd = np.full((1, 4, N_MELS), 1e30, np.float32)
    assert model.evaluate(absurd, absurd, verbose=0)[1] <= MAX_BITS + 1e-4


def test_two_layers_begin_with_different_weights() -> None:
    model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(4, 4)))
    model.build((None, None, N_MELS))
    first, second = (layer.cell.recurrent_kernel.numpy() for layer in model.trunk)
    assert (first != second).any()


def test_a_new_model_expects_the_last_level_again() -> None:
    model = FrameModel(FrameModelConfig(n_mels=N_MELS, units=(4,)))
    model.set_statistics(np.full(N_MELS, -40), np.full(N_MELS, 15))
    means = mean_db(Mixture.unpack(model(windows()))).numpy()
    assert np.abs(means[:, 1:] - np.clip(windows()[:, :-1], -100, 60)).max() < 10


def test_padding_has_no_gradient() -> None:
    model = model_of()
    padded = windows(count=1)
    padded[:, 6:] = -100
    weights = tf.constant([[1.0] * 6 + [0.0] * 3])

    def gradients(log_mel: np.ndarray) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            loss = NegativeLogLikelihood()(log_mel, model(log_mel), sample_weight=weights)
        return [value.numpy() for value in tape.gradient(loss, model.trainable_variables)]

    for ours, theirs in zip(gradients(windows(count=1)), gradients(padded), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_frames_are_counted_by_their_weights() -> None:
    model = model_of()
    model.compile("sgd", NegativeLogLikelihood(), weighted_metrics=[FrameCount()])
    weights = np.ones((2, 9), np.float32)
    weights[1, 5:] = 0
    assert model.evaluate(windows(), windows(), sample_weight=weights, verbose=0)[1] == 14
    assert model.evaluate(windows(), windows(), verbose=0)[1] == 18


def test_mixed_precision_keeps_weights_and_likelihood_in_float32(tmp_path: Path) -> None:
    model, plain = model_of(mixed_precision=True), model_of()
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert [layer.compute_dtype for layer in model.trunk] == ["bfloat16"]
    packed = model(windows())
    assert packed.dtype == tf.float32
    mixed, exact = (mean_db(Mixture.unpack(each)) for each in (packed, plain(windows())))
    difference = np.abs(mixed.numpy() - exact.numpy())
    assert 0 < difference.max() < 2
    state = model.start(2)
    for levels in np.swapaxes(quantize(windows()), 0, 1):
        stepped, state = model.hear(state, tf.constant(levels))
    np.testing.assert_allclose(stepped, packed[:, -1], rtol=0.05, atol=0.5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(windows()), packed)
