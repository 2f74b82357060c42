"""The transcribers' layers, as a functional Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from schemas import FeatureConfig
from schemas.features import N_PITCHES, WAVEFORM_SCALE
from training.models.dropout import Dropout
from training.models.front_end import FrontEndConfig, WaveformFrontEnd
from training.models.hearing import MIN_STD_DB
from training.models.layers import GRU
from training.process import require_tensorflow_backend
from training.transcription.config import TranscriberConfig

OUTPUTS = ("notes", "onsets")
"""What is predicted, as a dataset names it."""

CONTEXT_FRAMES = 5
"""The frames that the first layer sees at once: as many before a frame as after it."""

FILTERS = 256
"""Of the waveform: below 1 kHz they are 16 Hz apart at 22,050 Hz."""

DROPOUT = 0.5

_WIDTH = len(OUTPUTS) * N_PITCHES

_RARE = keras.initializers.Constant(-5.0)
"""Logits begin at a chance of 0.7 %, since few notes sound at a time: learning that first would
take longer than all else (Lin et al. 2017, Focal Loss for Dense Object Detection, 4.1)."""


def make_transcriber(
    config: TranscriberConfig, features: FeatureConfig, mean_db: ArrayLike, std_db: ArrayLike
) -> keras.Model:
    """A new model, whose initial weights are a function of the config's seed.

    It takes a dict of `config.inputs`: `log_mel`, float32 [batch, frames, n_mels] in dB, which is
    normalized by `mean_db` and `std_db` [n_mels], those of the training split; and `waveform`,
    float32 [batch, frames * hop_length] of full scale 1. It gives a dict of `OUTPUTS`, the logits
    of each MIDI note, float32 [batch, frames, 128].

    The logits are a linear function of a few frames; recurrent layers add to it. Linear weights
    hear each note by itself. Layers alone learn the chords of a small dataset by heart.
    """
    require_tensorflow_backend()
    seeds = (np.random.SeedSequence(config.seed).generate_state(8) >> 1).tolist()
    inputs, heard = {}, []
    if "log_mel" in config.inputs:
        inputs["log_mel"] = keras.Input((None, features.n_mels), name="log_mel")
        variance = np.square(np.maximum(np.asarray(std_db, np.float64), MIN_STD_DB))
        normalize = keras.layers.Normalization(
            mean=np.asarray(mean_db, np.float64), variance=variance, dtype="float32"
        )
        heard.append(normalize(inputs["log_mel"]))
    if "waveform" in config.inputs:
        inputs["waveform"] = keras.Input((None,), name="waveform")
        front_end = front_end_of(features, 2 * config.units, seeds[0])
        heard.append(front_end(inputs["waveform"]))
    frames = keras.layers.Concatenate()(heard) if len(heard) > 1 else heard[0]
    logits = _context(_WIDTH, seeds[1], bias_initializer=_RARE)(frames)
    if config.model == "gru":
        logits = keras.layers.Add()([logits, _recurrent(frames, config.units, seeds[2:])])
    parts = keras.ops.split(logits, len(OUTPUTS), axis=-1)
    return keras.Model(inputs, dict(zip(OUTPUTS, parts, strict=True)), name="transcriber")


def front_end_of(features: FeatureConfig, units: int, seed: int) -> WaveformFrontEnd:
    """Filters as long as the features' Fourier transform, at five frames around each frame."""
    span = features.n_fft + (CONTEXT_FRAMES - 1) * features.hop_length
    return WaveformFrontEnd(
        units,
        hop_length=features.hop_length,
        span=span,
        offset=span // 2,
        sample_rate=features.sample_rate,
        config=FrontEndConfig(
            filters=FILTERS, filter_length=features.n_fft, stride=features.hop_length
        ),
        seed=seed,
    )


def transcription_example(batch: Mapping[str, tf.Tensor]) -> tuple[Any, Any, Any]:
    """Inputs, targets and weights for `fit`, from a batch of a reader; for `as_tf_dataset`."""
    targets = {name: tf.cast(batch[name], tf.float32) for name in OUTPUTS}
    return model_inputs(batch), targets, dict.fromkeys(OUTPUTS, batch["weights"])


def model_inputs(batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """What a model takes, of the features in a batch."""
    found = {}
    if "log_mel" in batch:
        found["log_mel"] = tf.cast(batch["log_mel"], tf.float32)
    if "waveform" in batch:
        found["waveform"] = tf.cast(batch["waveform"], tf.float32) / WAVEFORM_SCALE
    return found


def _recurrent(frames: Any, units: int, seeds: list[int]) -> Any:
    """What two GRUs, one of them backward in time, add to the logits; nothing at first."""
    hidden = _context(2 * units, seeds[0], activation="relu")(frames)
    hidden = Dropout(DROPOUT, seeds[1], dtype="float32")(hidden)
    forward = _gru(units, seeds[2])(hidden)
    backward = _reversed(_gru(units, seeds[3])(_reversed(hidden)))
    both = keras.layers.Concatenate()([forward, backward])
    both = Dropout(DROPOUT, seeds[4], dtype="float32")(both)
    return keras.layers.Dense(_WIDTH, kernel_initializer="zeros", dtype="float32")(both)


def _context(units: int, seed: int, **options: Any) -> keras.layers.Layer:
    return keras.layers.Conv1D(
        units,
        CONTEXT_FRAMES,
        padding="same",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        dtype="float32",
        **options,
    )


def _gru(units: int, seed: int) -> GRU:
    return GRU(
        units,
        return_sequences=True,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seed ^ 1),
        dtype="float32",
    )


def _reversed(frames: Any) -> Any:
    return keras.ops.flip(frames, axis=1)
