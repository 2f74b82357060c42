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
from training.models.frame_model import FrameModel
from training.models.likelihood import Mixture, mean_db
from training.models.losses import frame_nats
from training.reading.reader import Reader

MAX_VALIDATION_WINDOWS = 256
"""Validation scores the split's windows in file order, which is shuffled, up to about this many."""


class Validation:
    """Scores a model on the validation split."""

    def __init__(self, model: FrameModel, reader: Reader) -> None:
        self._reader = reader
        shape = [None, reader.options.crop_frames, model.config.n_mels]
        self._packed = tf.function(model, input_signature=[tf.TensorSpec(shape)])

    def bits(self) -> float:
        """Bits per dimension of the split, or of about its first `MAX_VALIDATION_WINDOWS`.

        Raises `TrainingError` where all of these windows are damaged.
        """
        nats, frames = 0.0, 0.0
        count = -(-MAX_VALIDATION_WINDOWS // self._reader.options.batch_size)
        for batch in itertools.islice(self._reader.in_order(), count):
            log_mel, weights = batch["log_mel"], batch["weights"]
            nats += float(tf.reduce_sum(weights * frame_nats(log_mel, self._packed(log_mel))))
            frames += float(weights.sum())
        if not frames:
            raise TrainingError(
                f"every validation window is damaged, the first: {self._reader.damaged[0]}; "
                "make the dataset again"
            )
        return nats / frames / math.log(2)

    def picture(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The first window [frames, n_mels] in dB, and each frame's mean given those before it."""
        window = next(self._reader.in_order())["log_mel"][:1]
        expected = mean_db(Mixture.unpack(self._packed(window)))
        return window[0], expected.numpy()[0]


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
