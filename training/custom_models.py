"""Keras models of a user's own, which `train` fits to the same data.

A `ModelFunction` names a function that is called with `n_mels`, an integer, and with `mean_db` and
`std_db`, float32 [n_mels]: the mean and the standard deviation of each bin in the training split,
in dB. It returns a `keras.Model` that takes `log_mel` in dB, float32 [batch, frames, n_mels], and
is fitted to what `density_example` makes of a batch: inputs `log_mel`, targets `log_mel`, and
weights [batch, frames].

- A model that is not compiled gives packed mixtures as `FrameModel` does, float32
  [batch, frames, 3 * components, n_mels], those of a frame from the frames before it alone. It is
  compiled as a `FrameModel` is, and scored in bits per dimension.
- A model that is compiled keeps its own optimizer, loss and metrics, and is scored by its loss.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas.errors import DuetError
from training.config import TrainingConfig
from training.errors import TrainingError
from training.fitting.checkpoints import Checkpoints
from training.fitting.compiling import compile_model
from training.process import require_tensorflow_backend
from training.runs import Run
from training.validation import shown

_OPTIMIZER = ("learning_rate", "warmup_steps", "clip_norm", "ema")
"""The settings of training that a compiled model has of its own."""

_LOUDER_DB = 10.0
_TOLERANCE = 1e-3


def import_function(name: str) -> Callable[..., Any]:
    """The function `module:function`.

    Importing its module also registers the classes that a checkpoint needs. Raises `TrainingError`
    where there is no such function, or its module cannot be imported.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _failure(name, f"importing {module_name}", error) from error
        raise TrainingError(
            f"{name}: there is no module {error.name}; run the command in the folder that holds "
            "it, or add that folder to PYTHONPATH"
        ) from None
    except Exception as error:
        raise _failure(name, f"importing {module_name}", error) from error
    function: object = getattr(module, function_name, None)
    if not callable(function):
        raise TrainingError(
            f"{name}: {module.__file__ or module_name} has no function {function_name}; name one "
            "that it has"
        )
    return function


def load_checkpoint(run: Run, checkpoints: Checkpoints, step: int) -> Any:
    """The run's model, of either kind, in the checkpoint of a step.

    Raises `TrainingError` where it is damaged, or its function's module cannot be imported.
    """
    if run.function is None:
        return checkpoints.load(step)
    import_function(run.function)
    return checkpoints.load_any(step)


def custom_model(run: Run) -> tuple[Any, Run]:
    """The model that the run's function makes, compiled, and the run with its score.

    Raises `TrainingError`, with the function and a remedy, where it makes no model that can be
    fitted, saved and loaded again.
    """
    require_tensorflow_backend()
    name, n_mels = run.function or "", run.model.n_mels
    function = import_function(name)
    mean_db, std_db = (np.array(each, np.float32) for each in (run.mean_db, run.std_db))
    with blaming(name, "the function"):
        model = function(n_mels, mean_db, std_db)
    if not isinstance(model, keras.Model):
        raise TrainingError(f"{name}: returned {shown(model)}; return a keras.Model")
    shape = (2, run.features.window_frames, n_mels)
    log_mel = np.random.default_rng(0).normal(mean_db, std_db, shape).astype(np.float32)
    if model.compiled:
        _require_no_setting(name, run.training)
        with blaming(name, "a batch of log_mel"):
            model.test_on_batch(log_mel, log_mel, sample_weight=np.ones(shape[:2], np.float32))
            model.optimizer.build(model.trainable_variables)
        model.reset_metrics()
        score = "loss"
    else:
        _require_mixtures(name, model, log_mel)
        compile_model(model, run.training)
        score = "bits"
    _require_saving(name, model)
    return model, dataclasses.replace(run, score=score)


def _require_no_setting(name: str, training: TrainingConfig) -> None:
    plain = TrainingConfig()
    changed = [each for each in _OPTIMIZER if getattr(training, each) != getattr(plain, each)]
    if changed:
        raise TrainingError(
            f"{name}: its model is compiled with an optimizer of its own, so {', '.join(changed)} "
            "cannot be set; leave it out, or return a model that is not compiled"
        )


def _require_mixtures(name: str, model: Any, log_mel: NDArray[np.float32]) -> None:
    with blaming(name, "a batch of log_mel"):
        packed = np.asarray(model(log_mel))
    batch, frames, n_mels = log_mel.shape
    right = packed.ndim == 4 and (*packed.shape[:2], packed.shape[3]) == log_mel.shape
    if not right or not packed.shape[2] or packed.shape[2] % 3:
        raise TrainingError(
            f"{name}: gives {list(packed.shape)} for log_mel {list(log_mel.shape)} instead of "
            f"packed mixtures [{batch}, {frames}, 3 * components, {n_mels}]; give these, or "
            "compile the model with a loss of your own"
        )
    if not np.isfinite(packed).all():
        raise TrainingError(f"{name}: gives values that are not finite; correct its first weights")
    middle = frames // 2
    louder = log_mel.copy()
    louder[:, middle:] += _LOUDER_DB
    with blaming(name, "a batch of log_mel"):
        heard = np.asarray(model(louder))
    same = packed[:, : middle + 1], heard[:, : middle + 1]
    if not np.allclose(*same, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise TrainingError(
            f"{name}: what it gives for a frame depends on that frame or on later ones; delay its "
            "inputs by one frame, and use causal layers"
        )


def _require_saving(name: str, model: Any) -> None:
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            model.save(path)
            keras.models.load_model(path)
    except Exception as error:
        raise TrainingError(
            f"{name}: its model cannot be saved and loaded again: {_one_line(error)}; register "
            "its own classes and functions with keras.saving.register_keras_serializable"
        ) from error


@contextlib.contextmanager
def blaming(name: str, what: str) -> Iterator[None]:
    """Within the block runs the user's code: `TrainingError` where it fails."""
    try:
        yield
    except (DuetError, MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:
        raise _failure(name, what, error) from error


def _failure(name: str, what: str, error: Exception) -> TrainingError:
    return TrainingError(
        f"{name}: {what} failed with {type(error).__name__}: {_one_line(error)}; correct it there"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
