"""Training of the transcriber, with Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from schemas.features import N_PITCHES
from training.measures.transcriber import Transcriber, frame_inputs

MAX_FRAMES = 20_000
"""Frames that are trained on, about: eight minutes at the default features, and 0.1 GB."""

HIDDEN_UNITS = 256
EPOCHS = 12
DROPOUT = 0.3

_BATCH_SIZE = 256
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-3
_SMALLEST_SCALE_DB = 1e-3


def train_transcriber(
    windows: Sequence[tuple[NDArray[Any], NDArray[Any]]], config: FeatureConfig, *, seed: int = 0
) -> Transcriber:
    """Trains a transcriber on the frames of `windows`, evenly thinned out to about `MAX_FRAMES`.

    `windows` are pairs of the valid frames of `log_mel` [frames, n_mels] in dB and of `notes`
    [frames, 128], 0 or 1; one at least. The same windows, seed and machine give the same
    transcriber, and no global seed is set.
    """
    step = max(1, sum(len(notes) for _, notes in windows) // MAX_FRAMES)
    inputs = np.concatenate([frame_inputs(log_mel, config)[::step] for log_mel, _ in windows])
    sounding = np.concatenate([notes[::step] for _, notes in windows]).astype(np.float32)
    mean = inputs.mean(axis=0)
    scale = np.maximum(inputs.std(axis=0), _SMALLEST_SCALE_DB)
    order = np.random.default_rng(seed).permutation(len(inputs))
    network = _network(inputs.shape[1], seed)
    network.fit(
        ((inputs - mean) / scale)[order],
        sounding[order],
        batch_size=_BATCH_SIZE,
        epochs=EPOCHS,
        shuffle=False,  # Keras would use, and change, numpy's global state.
        verbose=0,
    )
    hidden_weights, hidden_bias, note_weights, note_bias = network.get_weights()
    return Transcriber(
        config=config,
        mean=mean,
        scale=scale,
        hidden_weights=hidden_weights,
        hidden_bias=hidden_bias,
        note_weights=note_weights,
        note_bias=note_bias,
    )


def _network(inputs: int, seed: int) -> keras.Model:
    glorot = keras.initializers.GlorotUniform
    network = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dropout(DROPOUT, seed=seed),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu", kernel_initializer=glorot(seed)),
            keras.layers.Dropout(DROPOUT, seed=seed + 1),
            keras.layers.Dense(N_PITCHES, "sigmoid", kernel_initializer=glorot(seed + 1)),
        ]
    )
    optimizer = keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    network.compile(optimizer, "binary_crossentropy")
    return network
