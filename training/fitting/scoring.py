"""Scores of a model during training: on true inputs, with its averaged weights if it has some."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.errors import TrainingError
from training.models.frame_model import model_inputs
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
        self._packed = packed_of(model)

    def score(self) -> float:
        return self.bits()

    def bits(self) -> float:
        """Bits per dimension of the split, or of about its first `MAX_VALIDATION_WINDOWS`.

        Raises `TrainingError` where all of these windows are damaged.
        """
        nats, frames = 0.0, 0.0
        for batch in _batches(self._reader):
            packed, weights = self._packed(model_inputs(batch)), batch["weights"]
            nats += float(tf.reduce_sum(weights * frame_nats(batch["log_mel"], packed)))
            frames += float(weights.sum())
        return nats / frames / math.log(2)

    def picture(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The first window [frames, n_mels] in dB, and each frame's mean given those before it."""
        batch = {name: column[:1] for name, column in next(self._reader.in_order()).items()}
        expected = mean_db(Mixture.unpack(self._packed(model_inputs(batch))))
        return batch["log_mel"][0], expected.numpy()[0]


class LossValidation:
    """Scores a model by the loss that it is compiled with, on the same windows."""

    def __init__(self, model: Any, reader: Reader) -> None:
        self._model, self._reader = model, reader

    def score(self) -> float:
        """The loss that `evaluate` of Keras gives: the mean over batches, by their windows.

        Raises `TrainingError` where all windows are damaged.
        """
        total, windows = 0.0, 0
        for batch in _batches(self._reader):
            log_mel, weights = batch["log_mel"], batch["weights"]
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


def packed_of(model: Any) -> Callable[[Any], tf.Tensor]:
    """What a model gives for inputs of any number of windows, compiled once for their shape."""
    compiled: list[Callable[[Any], tf.Tensor]] = []

    def packed(inputs: Any) -> tf.Tensor:
        if not compiled:
            specs = tf.nest.map_structure(
                lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), inputs
            )
            compiled.append(tf.function(model, input_signature=[specs]))
        return compiled[0](inputs)

    return packed


def _batches(reader: Reader) -> Iterator[dict[str, Any]]:
    """About the first `MAX_VALIDATION_WINDOWS`, in batches."""
    frames = 0.0
    count = -(-MAX_VALIDATION_WINDOWS // reader.options.batch_size)
    for batch in itertools.islice(reader.in_order(), count):
        frames += float(batch["weights"].sum())
        yield batch
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
