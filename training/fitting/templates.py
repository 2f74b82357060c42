"""What notes sound like, before the first step: the templates of a model that hears a score.

Learned together with all other weights, templates remain quiet and dull, since the other layers
explain the notes as well before them. Fitted by themselves first, they are a spectrogram that the
rest of the model corrects.
"""

from __future__ import annotations

import itertools
from typing import Any

import keras
import tensorflow as tf

from musicnet_duet.progress import ProgressDisplay
from training.models.frame_model import FrameModel
from training.reading.reader import Reader

STEPS = 200
LEARNING_RATE = 4e-3


def fit_templates(model: FrameModel, reader: Reader) -> None:
    """Fits the templates to the reader's windows: the mean absolute difference of levels.

    The same model and reader give the same weights.
    """
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    weights = model.templates.trainable_variables
    optimizer.build(weights)

    def step(notes: Any, onsets: Any, log_mel: Any, counted: Any) -> None:
        true = model.hearing(log_mel)
        with tf.GradientTape() as tape:
            suggested = model.suggest(notes, onsets)
            differences = tf.reduce_mean(tf.abs(suggested - true), axis=-1)
            loss = tf.math.divide_no_nan(
                tf.reduce_sum(counted * differences), tf.reduce_sum(counted)
            )
        optimizer.apply(tape.gradient(loss, weights))

    compiled = tf.function(step, reduce_retracing=True)
    batches = itertools.chain.from_iterable(map(reader.epoch, itertools.count()))
    with ProgressDisplay("fitting the sounds of notes", unit="steps", total=STEPS) as shown:
        for batch in itertools.islice(batches, STEPS):
            compiled(*(batch[name] for name in ("notes", "onsets", "log_mel", "weights")))
            shown.update()
