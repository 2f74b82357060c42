"""A step of plain Keras: its recurrent layers, a Dense layer and the squared error, through `fit`.

python -m benchmarks.steps.plain RECURRENT BATCH UNITS...
"""

from __future__ import annotations

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from benchmarks.steps.product import Timer
from benchmarks.steps.sizes import FRAMES, MELS, Size
from training.validation import MAX_STEPS

LAYERS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def time_steps(recurrent: str, size: Size) -> dict[str, float]:
    """The figures of `Stopwatch`; every batch is the same one, which nothing has to read."""
    layers = [LAYERS[recurrent](units, return_sequences=True) for units in size.units]
    model = keras.Sequential([keras.Input((FRAMES, MELS)), *layers, keras.layers.Dense(MELS)])
    model.compile("adam", "mse", jit_compile=False)
    shape = (size.batch, FRAMES, MELS)
    frames = tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    batches = tf.data.Dataset.from_tensors((frames, frames)).repeat()
    timer = Timer()
    model.fit(batches, steps_per_epoch=MAX_STEPS, shuffle=False, verbose=0, callbacks=[timer])
    return timer.figures


def main(recurrent: str, *size: str) -> None:
    print(json.dumps(time_steps(recurrent, Size.of(size))))


if __name__ == "__main__":
    main(*sys.argv[1:])
