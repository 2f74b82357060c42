"""Scores of a model during training: on true inputs, with its averaged weights if it has some."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.errors import TrainingError
from training.models.likelihood import Mixture, mean_db
from training.models.losses import frame_nats
from training.reading.reader import Reader

MAX_VALIDATION_WINDOWS = 64
"""Validation scores the split's windows in file order, which is shuffled, up to about this many.

With the default interval and batches, validation then takes some 5 % of a run.
"""


class Validation:
    """Scores a model that gives packed mixtures on the validation split."""

    def __init__(self, model: Any, reader: Reader) -> None:
        self._reader = reader
        shape = [None, reader.options.crop_frames, reader.dataset.config.n_mels]
        self._packed = tf.function(model, input_signature=[tf.TensorSpec(shape)])

    def score(self) -> float:
        return self.bits()

    def bits(self) -> float:
        """Bits per dimension of the split, or of about its first `MAX_VALIDATION_WINDOWS`.

        Raises `TrainingError` where all of these windows are damaged.
        """
        nats, frames = 0.0, 0.0
        for log_mel, weights in _batches(self._reader):
            nats += float(tf.reduce_sum(weights * frame_nats(log_mel, self._packed(log_mel))))
            frames += float(weights.sum())
        return nats / frames / math.log(2)

    def picture(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The first window [frames, n_mels] in dB, and each frame's mean given those before it."""
        window = next(self._reader.in_order())["log_mel"][:1]
        expected = mean_db(Mixture.unpack(self._packed(window)))
        return window[0], expected.numpy()[0]


class LossValidation:
    """Scores a model by the loss that it is compiled with, on the same windows."""

    def __init__(self, model: Any, reader: Reader) -> None:
        self._model, self._reader = model, reader

    def score(self) -> float:
        """The loss that `evaluate` of Keras gives: the mean over batches, by their windows.

        Raises `TrainingError` where all windows are damaged.
        """
        total, windows = 0.0, 0
        for log_mel, weights in _batches(self._reader):
            self._model.reset_metrics()
            figures = self._model.test_on_batch(
                log_mel, log_mel, sample_weight=weights, return_dict=True
            )
            total += len(log_mel) * float(figures["loss"])
            windows += len(log_mel)
        self._model.reset_metrics()
        return total / windows

    def picture(self) -> None:
        """Nothing: what the model gives may be anything."""


def _batches(reader: Reader) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The `log_mel` and the weights of about the first `MAX_VALIDATION_WINDOWS`."""
    frames = 0.0
    count = -(-MAX_VALIDATION_WINDOWS // reader.options.batch_size)
    for batch in itertools.islice(reader.in_order(), count):
        frames += float(batch["weights"].sum())
        yield batch["log_mel"], batch["weights"]
    if not frames:
        raise TrainingError(
            f"every validation window is damaged, the first: {reader.damaged[0]}; "
            "make the dataset again"
        )


@contextlib.contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Within the block, the model has the averages of its weights, if its optimizer keeps any."""
    if not model.optimizer.use_ema:
        yield
        return
    variables = model.trainable_variables
    trained = [variable.numpy() for variable in variables]
    model.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, array in zip(variables, trained, strict=True):
            variable.assign(array)
