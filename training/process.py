"""Settings of the whole process: the library changes none, unless its caller asks for that."""

from __future__ import annotations

import keras
import tensorflow as tf

from training.errors import TrainingError


def make_deterministic() -> None:
    """Makes TensorFlow's operations give the same bits each time, also on a GPU.

    It holds for the rest of the process. Call it before a model is made.
    """
    tf.config.experimental.enable_op_determinism()


def require_tensorflow_backend() -> None:
    """Raises `TrainingError` where Keras was imported with another backend than TensorFlow."""
    found = keras.config.backend()
    if found != "tensorflow":
        raise TrainingError(
            f"Keras was imported with its backend {found!r}, and these models need 'tensorflow'; "
            "set the environment variable KERAS_BACKEND to tensorflow before Keras is imported"
        )
