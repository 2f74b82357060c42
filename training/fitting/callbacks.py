"""The callbacks of a run. Each of them acts after a step, in the order of `callbacks_of`."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from musicnet_duet.outputs import RUN_FILE
from musicnet_duet.progress import ProgressDisplay
from schemas import DatasetError
from training.config import LoopConfig
from training.errors import TrainingError
from training.fitting.board import Board
from training.fitting.checkpoints import Checkpoints, Validations
from training.fitting.metrics import MetricsFile
from training.fitting.scoring import Validation, averaged_weights
from training.fitting.stopping import no_longer_improves
from training.runs import is_run


class StepCallback(keras.callbacks.Callback):
    """Knows the number of the last step, and its own figures: Keras's are means over an epoch."""

    def __init__(self, first_step: int) -> None:
        super().__init__()
        self.step = first_step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        self.after_step(logs or {})

    def after_step(self, logs: dict[str, float]) -> None:
        raise NotImplementedError


class OwnFigures(keras.callbacks.Callback):
    """Makes the figures of a step its own, and not a mean over those before."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.reset_metrics()


class StopAtDivergence(StepCallback):
    """Raises `TrainingError` if the loss of a step is not finite; `describe` names its windows."""

    def __init__(self, first_step: int, run_dir: str, describe: Callable[[int], str]) -> None:
        super().__init__(first_step)
        self._run_dir, self._describe = run_dir, describe

    def after_step(self, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"{self._run_dir}: the loss of step {self.step} is {logs['loss']}: the weights "
                f"diverged on {self._describe(self.step)}; start another run with a smaller "
                "learning_rate"
            )


class Figures(StepCallback):
    """Writes the figures of each step to the file of metrics and to TensorBoard, and shows them."""

    def __init__(
        self,
        first_step: int,
        *,
        run_dir: str,
        metrics: MetricsFile,
        board: Board,
        shown: ProgressDisplay,
    ) -> None:
        super().__init__(first_step)
        self._run_dir, self._shown = run_dir, shown
        self._metrics, self._board = metrics, board
        self._frames = self._busy_seconds = self._started = self._rate = 0.0

    @property
    def frames_per_second(self) -> float:
        """Valid frames in a second of steps; validations and checkpoints are not counted."""
        return self._frames / self._busy_seconds if self._frames else 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()
        self._rate = float(self.model.optimizer.learning_rate)

    def after_step(self, logs: dict[str, float]) -> None:
        self._busy_seconds += time.perf_counter() - self._started
        self._frames += logs["frames"]
        speed = self.frames_per_second
        figures = {
            "bits": logs["bits"],
            "frames": logs["frames"],
            "learning_rate": self._rate,
        }
        with saving(self._run_dir):
            self._metrics.write(self.step, figures)
            self._board.scalars(self.step, {**figures, "frames_per_second": speed})
        self._shown.update(figures=f"bits/dim={logs['bits']:.3f}, frames/s={speed:.0f}")


class ValidateAndSave(StepCallback):
    """Scores the validation split now and then, and writes a checkpoint after that and at the end.

    Training ends early once `stop` is set, or `loop.patience` validations did not improve.
    `validations` are those of the run so far, as (step, bits per dimension).
    """

    def __init__(
        self,
        first_step: int,
        validations: Validations,
        *,
        run_dir: str,
        loop: LoopConfig,
        validation: Validation,
        checkpoints: Checkpoints,
        metrics: MetricsFile,
        board: Board,
        stop: threading.Event,
    ) -> None:
        super().__init__(first_step)
        self.validations = validations
        self._run_dir, self._loop, self._stop = run_dir, loop, stop
        self._validation, self._checkpoints = validation, checkpoints
        self._metrics, self._board = metrics, board

    def after_step(self, logs: dict[str, float]) -> None:
        is_last = self.step == self._loop.steps
        due = is_last or self.step % self._loop.validation_interval == 0
        if not due and not self._stop.is_set():
            return
        self._require_finite_weights()
        if due:
            self._validate()
        if self._stop.is_set() or no_longer_improves(self.validations, self._loop.patience):
            self.model.stop_training = True
        self._save()

    def _validate(self) -> None:
        with averaged_weights(self.model):
            bits = self._validation.bits()
            target, expected = self._validation.picture()
        self.validations = (*self.validations, (self.step, bits))
        with saving(self._run_dir):
            self._metrics.write(self.step, {"validation_bits": bits})
            self._board.scalars(self.step, {"validation_bits": bits})
            name = "validation: target above one-step-ahead mean"
            self._board.picture(name, self.step, target, expected)

    def _require_finite_weights(self) -> None:
        if not all(np.isfinite(each).all() for each in self.model.get_weights()):
            raise TrainingError(
                f"{self._run_dir}: the weights diverged in step {self.step}; start another run "
                "with a smaller learning_rate"
            )

    def _save(self) -> None:
        with saving(self._run_dir):
            self._checkpoints.save(self.step, self.model, self.validations)


@contextlib.contextmanager
def saving(run_dir: str) -> Iterator[None]:
    """Nothing is saved in a folder that vanished; other errors say how the run is continued.

    Raises `TrainingError`.
    """
    _require_run(run_dir)
    try:
        yield
    except DatasetError as error:
        _require_run(run_dir)
        text = str(error)
        if not isinstance(error.__cause__, OSError):
            raise
        if text.endswith("again"):
            text += " with resume=True"
        raise TrainingError(text) from error


def _require_run(run_dir: str) -> None:
    if not is_run(run_dir):
        raise TrainingError(
            f"{run_dir}: its {RUN_FILE} vanished during training, so nothing can be saved; start "
            "another run"
        )
