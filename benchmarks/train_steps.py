"""Frames per second of one kind of training step, on windows of random levels."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from training.config import ModelConfig
from training.model import SpectrogramModel, negative_log_likelihood
from training.models.layers import GRU

BATCH, FRAMES, UNITS, MELS = 8, 430, 256, 128
SECONDS = 10.0


def plain(layer: type = keras.layers.GRU) -> Callable[[], object]:
    model = keras.Sequential(
        [keras.Input((FRAMES, MELS)), layer(UNITS, return_sequences=True),
         keras.layers.Dense(MELS)]
    )  # fmt: skip
    model.compile("adam", "mse")
    frames = np.random.default_rng(0).normal(size=(BATCH, FRAMES, MELS)).astype(np.float32)
    return lambda: model.train_on_batch(frames, frames)


def ours() -> Callable[[], object]:
    model = SpectrogramModel(ModelConfig(units=(UNITS,)), np.zeros(MELS), np.full(MELS, 20.0))
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    levels = tf.constant(np.random.default_rng(0).integers(0, 321, (BATCH, FRAMES, MELS)), tf.int32)
    valid = tf.fill([BATCH], FRAMES)

    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(negative_log_likelihood(model, levels, valid))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return tf.function(step)


def products() -> Callable[[], object]:
    """Forward and twice backward, as if all frames could be multiplied at once."""
    config = ModelConfig(units=(UNITS,))
    model = SpectrogramModel(config, np.zeros(MELS), np.ones(MELS))
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
