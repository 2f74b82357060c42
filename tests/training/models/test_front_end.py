from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.filterbank import hz_to_mel
from training.errors import TrainingError
from training.models.front_end import FrontEndConfig, WaveformFrontEnd, mel_sinusoids

HOP, SPAN, FRAMES, RATE = 16, 64, 9, 4_000
SMALL = FrontEndConfig(filters=6, filter_length=16, stride=8)
OFFSETS = (-40, -16, 0, 5, 16, 32, 64, 90)


def front_end(offset: int = 0, **kwargs: Any) -> WaveformFrontEnd:
    settings = {"hop_length": HOP, "span": SPAN, "sample_rate": RATE, "config": SMALL}
    return WaveformFrontEnd(5, offset=offset, **{**settings, **kwargs})


def sound(seed: int, frames: int = FRAMES) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, (2, frames * HOP)).astype(np.float32)


def span_of(waveform: np.ndarray, frame: int, offset: int) -> np.ndarray:
    """The samples that a frame hears; zeros outside of the waveform."""
    padded = np.pad(waveform, [(0, 0), (1_000, 1_000)])
    end = 1_000 + frame * HOP + offset
    return padded[:, end - SPAN : end]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(OFFSETS), st.integers(0, FRAMES - 1), st.integers(0, 99))
def test_a_frame_hears_the_samples_of_its_span_alone(offset: int, frame: int, seed: int) -> None:
    layer = front_end(offset)
    waveform, other = sound(seed), sound(seed + 1)
    end = frame * HOP + offset
    number = np.arange(waveform.shape[1])
    inside = (number >= end - SPAN) & (number < end)
    found = layer(np.where(inside, waveform, other)).numpy()[:, frame]
    np.testing.assert_array_equal(found, layer(waveform).numpy()[:, frame])
    np.testing.assert_array_equal(
        found, layer(np.where(inside, waveform, np.nan)).numpy()[:, frame]
    )


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_frame_hears_each_sample_of_its_span(offset: int) -> None:
    layer, frame = front_end(offset), 4
    waveform = tf.constant(sound(0))
    with tf.GradientTape() as tape:
        tape.watch(waveform)
        total = tf.reduce_sum(tf.square(layer(waveform)[:, frame]))
    moved = np.abs(tape.gradient(total, waveform).numpy()).max(axis=0) > 0
    end = frame * HOP + offset
    expected = np.zeros(FRAMES * HOP, bool)
    expected[max(0, end - SPAN) : max(0, end)] = True
    np.testing.assert_array_equal(moved, expected)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(OFFSETS), st.integers(1, FRAMES), st.integers(0, 99))
def test_steps_give_what_the_sequence_gives(offset: int, frames: int, seed: int) -> None:
    layer = front_end(offset)
    waveform = sound(seed, frames)
    whole = layer(waveform).numpy()
    assert whole.shape == (2, frames, 5)
    for frame in range(frames):
        step = layer.embed(tf.constant(span_of(waveform, frame, offset)))
        np.testing.assert_allclose(step, whole[:, frame], rtol=0, atol=1e-5)


def test_a_vector_is_the_projection_of_the_logarithms_of_powers() -> None:
    layer = front_end()
    layer.build((None, None))
    samples = sound(3, 4)
    found = layer.embed(tf.constant(samples)).numpy()
    filters = mel_sinusoids(6, 16, RATE)
    spans = np.stack([samples[:, first : first + 16] for first in range(0, 49, 8)], axis=1)
    power = np.abs(spans @ filters) ** 2
    inputs = (np.log(1 + power / 1e-8) - 8) / 4
    expected = np.einsum("bpf,pfu->bu", inputs, layer.projection.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_filters_begin_as_a_filterbank_on_the_mel_scale() -> None:
    filters = mel_sinusoids(40, 1_024, 22_050)
    spectra = np.abs(np.fft.fft(filters, 8 * 1_024, axis=0))[: 4 * 1_024]
    peaks = hz_to_mel(spectra.argmax(axis=0) * 22_050 / (8 * 1_024))
    np.testing.assert_allclose(np.diff(peaks), hz_to_mel(11_025) / 41, rtol=0.15)
    for number in (5, 20, 35):
        frequency = np.angle(filters[513, number] / filters[512, number])
        sinusoid = np.sin(frequency * np.arange(1_024))
        powers = np.abs(sinusoid @ filters) ** 2
        assert powers.argmax() == number
        assert powers[number] == pytest.approx(1, rel=0.01)


def test_a_saved_layer_is_loaded_as_it_was(tmp_path: Path) -> None:
    inputs = keras.Input((None,))
    model = keras.Model(inputs, front_end(16, seed=3)(inputs))
    model.layers[1].kernel.assign(2 * model.layers[1].kernel)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(sound(0)), model(sound(0)))
    assert loaded.layers[1].get_config() == model.layers[1].get_config()


def test_the_seed_makes_the_projection() -> None:
    first, same, other = (front_end(seed=seed)(sound(0)).numpy() for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FrontEndConfig(filter_length=65, stride=8), "filter_length=65 must be at most the 64"),
        (FrontEndConfig(filter_length=16, stride=12), "stride=12 must divide hop_length=16"),
        (FrontEndConfig(filter_length=18, stride=8), "choose, for example, filter_length=24"),
        (FrontEndConfig(filter_length=5, stride=8), "choose, for example, filter_length=8"),
    ],
)
def test_filters_that_do_not_fit_are_an_error(config: FrontEndConfig, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        front_end(config=config)


@pytest.mark.parametrize("values", [{"filters": 0}, {"filter_length": 1.5}, {"stride": -1}])
def test_an_impossible_value_is_an_error(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=next(iter(values))):
        FrontEndConfig(**values)
