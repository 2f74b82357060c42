from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.dataset_factory import ALL_FEATURES
from tests.support.measured_sounds import CONFIG, hertz, log_mel_of, note
from training.errors import TrainingError
from training.measures.transcriber import average_precision
from training.transcription.config import HEARING, MODELS, TranscriberConfig
from training.transcription.model import OUTPUTS, make_transcriber, model_inputs

MEAN, STD = np.linspace(-30, -60, 4), np.linspace(5, 20, 4)
EVERY = [(model, hear) for model in MODELS for hear in HEARING]


def transcriber(**settings: Any) -> keras.Model:
    config = TranscriberConfig(units=4, **settings)
    return make_transcriber(config, ALL_FEATURES, MEAN, STD)


def inputs_of(model: keras.Model, seed: int, frames: int = 12) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)
    every = {
        "log_mel": rng.normal(MEAN, STD, (2, frames, 4)).astype(np.float32),
        "waveform": rng.normal(0, 0.1, (2, frames * 4)).astype(np.float32),
    }
    return {name: tf.constant(every[name]) for name in model.input}


def stirred(model: keras.Model) -> keras.Model:
    """The model with weights that are none of the zeros which layers begin with."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


@pytest.mark.parametrize(("model", "hear"), EVERY)
def test_a_model_gives_notes_and_onsets_of_what_it_hears(model: str, hear: str) -> None:
    made = transcriber(model=model, hear=hear)
    assert set(made.input) == set(TranscriberConfig(hear=hear).inputs)
    found = made(inputs_of(made, 0))
    assert set(found) == set(OUTPUTS)
    assert {tuple(each.shape) for each in found.values()} == {(2, 12, 128)}


@pytest.mark.parametrize(("model", "hear"), EVERY)
def test_a_saved_model_is_loaded_as_it_was(model: str, hear: str, tmp_path: Path) -> None:
    made = stirred(transcriber(model=model, hear=hear))
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    given = inputs_of(made, 0)
    for one, other in zip(made(given).values(), loaded(given).values(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("model", MODELS)
def test_a_linear_model_hears_a_few_frames_and_a_recurrent_one_all(model: str) -> None:
    made = stirred(transcriber(model=model, hear="frequency"))
    given = inputs_of(made, 0)["log_mel"].numpy()
    moved = np.array(given)
    moved[:, 6] += 10
    changed = np.zeros(12, bool)
    for one, other in zip(
        made({"log_mel": given}).values(), made({"log_mel": moved}).values(), strict=True
    ):
        changed |= (one.numpy() != other.numpy()).any(axis=(0, 2))
    expected = range(4, 9) if model == "linear" else range(12)
    assert set(np.flatnonzero(changed)) == set(expected)


def test_levels_are_normalized_by_the_statistics_of_training() -> None:
    other = make_transcriber(TranscriberConfig(model="linear"), ALL_FEATURES, MEAN + 7, 3 * STD)
    same = make_transcriber(TranscriberConfig(model="linear"), ALL_FEATURES, MEAN, STD)
    given = inputs_of(same, 0)["log_mel"]
    moved = (given - MEAN) * 3 + MEAN + 7
    found, expected = other({"log_mel": moved}), same({"log_mel": given})
    np.testing.assert_allclose(found["notes"], expected["notes"], atol=1e-4)


def test_the_seed_makes_the_weights() -> None:
    first, same, another = (transcriber(hear="both", seed=seed) for seed in (0, 0, 1))
    for one, other in zip(first.weights, same.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(
        (one.numpy() != other.numpy()).any()
        for one, other in zip(first.weights, another.weights, strict=True)
    )


def test_samples_have_full_scale_one() -> None:
    samples = np.array([[-32_768, 0, 16_384]], np.int16)
    assert model_inputs({"waveform": samples})["waveform"].numpy().tolist() == [[-1.0, 0.0, 0.5]]


def test_a_linear_model_learns_the_notes_that_it_is_taught() -> None:
    def melody(seed: int) -> tuple[np.ndarray, np.ndarray]:
        played = np.random.default_rng(seed).choice((57, 61, 64, 69), 12)
        log_mel = log_mel_of(np.concatenate([note(hertz(pitch), 0.5) for pitch in played]))
        seconds = np.arange(len(log_mel)) / CONFIG.frames_per_second
        current = played[np.minimum((seconds / 0.5).astype(int), 11)]
        return log_mel[np.newaxis], np.eye(128, dtype=np.float32)[current][np.newaxis]

    log_mel, notes = melody(0)
    mean, std = log_mel.mean(axis=(0, 1)), log_mel.std(axis=(0, 1))
    model = make_transcriber(TranscriberConfig(model="linear"), CONFIG, mean, std)
    model.compile(
        keras.optimizers.Adam(1e-2), {"notes": keras.losses.BinaryCrossentropy(from_logits=True)}
    )
    model.fit({"log_mel": log_mel}, {"notes": notes}, epochs=60, shuffle=False, verbose=0)
    log_mel, notes = melody(9)
    found = average_precision(notes, model({"log_mel": log_mel})["notes"].numpy())
    assert found is not None
    assert found > 0.9


@pytest.mark.parametrize(
    "values",
    [{"model": "lstm"}, {"hear": "all"}, {"units": 0}, {"steps": 0}, {"batch_size": 0.5}],
)
def test_an_impossible_setting_is_an_error(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=next(iter(values))):
        TranscriberConfig(**values)
