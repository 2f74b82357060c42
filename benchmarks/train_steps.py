"""Frames per second of one kind of training step, on windows of random levels."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from training.config import FrameModelConfig
from training.grid import dequantize
from training.models import FrameModel, NegativeLogLikelihood
from training.models.layers import GRU

BATCH, FRAMES, UNITS, MELS = 8, 430, 256, 128
SECONDS = 10.0


def model_of(config: FrameModelConfig) -> FrameModel:
    model = FrameModel(config)
    model.set_statistics(np.zeros(MELS), np.full(MELS, 20.0))
    return model


def plain(layer: type = keras.layers.GRU) -> Callable[[], object]:
    model = keras.Sequential(
        [keras.Input((FRAMES, MELS)), layer(UNITS, return_sequences=True),
         keras.layers.Dense(MELS)]
    )  # fmt: skip
    model.compile("adam", "mse")
    frames = np.random.default_rng(0).normal(size=(BATCH, FRAMES, MELS)).astype(np.float32)
    return lambda: model.train_on_batch(frames, frames)


def ours() -> Callable[[], object]:
    """The step that `train` runs, without its validations and checkpoints."""
    model = model_of(FrameModelConfig(units=(UNITS,)))
    optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
    model.compile(optimizer, NegativeLogLikelihood(), jit_compile=False)
    levels = np.random.default_rng(0).integers(0, 321, (BATCH, FRAMES, MELS))
    log_mel, weights = dequantize(levels), np.ones((BATCH, FRAMES), np.float32)
    return lambda: model.train_on_batch(log_mel, log_mel, sample_weight=weights)


def products() -> Callable[[], object]:
    """Forward and twice backward, as if all frames could be multiplied at once."""
    model = model_of(FrameModelConfig(units=(UNITS,)))
    kernels = [weight for weight in model.trainable_variables if len(weight.shape) == 2]
    inputs = [tf.random.normal([BATCH * FRAMES, kernel.shape[0]]) for kernel in kernels]

    def step() -> list[tf.Tensor]:
        every = []
        for values, kernel in zip(inputs, kernels, strict=True):
            forward = values @ kernel
            every += [tf.reduce_sum(forward @ tf.transpose(kernel))]
            every += [tf.reduce_sum(tf.transpose(values) @ forward)]
        return every

    return tf.function(step)


def main(way: str) -> None:
    ways = {"plain": plain, "fast": lambda: plain(GRU), "ours": ours, "products": products}
    step = ways[way]()
    for _ in range(2):
        step()
    started, steps = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        step()
        steps += 1
    rate = steps * BATCH * FRAMES / (time.monotonic() - started)
    print(json.dumps({"frames_per_second": rate}))


if __name__ == "__main__":
    main(*sys.argv[1:])
