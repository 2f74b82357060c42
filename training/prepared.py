"""What commands that use TensorFlow do before and after they run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from musicnet_duet.ambient import import_matplotlib
from musicnet_duet.command import Outcome
from training.errors import TrainingError

Run = Callable[[argparse.Namespace], Outcome]


def prepared(run: Run, *, deterministic: bool = True) -> Run:
    """A command's `run` in a process where TensorFlow is set up, and whose failures are explained.

    With `deterministic`, TensorFlow's operations give the same bits each time.
    """

    def run_prepared(options: argparse.Namespace) -> Outcome:
        # Whatever other projects left in the environment or in ~/.keras.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        # Otherwise TensorFlow takes all memory of a GPU from the other processes on it.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        import_matplotlib()  # Keras imports it as well, which MPLBACKEND can make fail.
        if not options.debug:
            _import_tensorflow_quietly()
        import tensorflow as tf

        from training.process import make_deterministic

        if "" not in sys.path:
            sys.path.append("")  # The folder of the command may hold a model of the user's own.
        if deterministic:
            make_deterministic()
        try:
            return run(options)
        except tf.errors.ResourceExhaustedError as error:
            raise TrainingError(
                "TensorFlow ran out of memory or disk space; make room, or choose fewer --units, "
                f"a smaller --batch-size or fewer --seconds ({' '.join(str(error).split())[:200]})"
            ) from error

    return run_prepared


def _import_tensorflow_quietly() -> None:
    """Imports it and looks for devices, hiding what its C++ code prints about them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shown = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nothing)
