"""The figures of steps, which no step waits for.

A GPU computes a step while Python prepares the next one, until Python asks for a value. So the
figures of a step are read when the next step is on its way, or when something needs them.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from musicnet_duet.progress import ProgressDisplay
from training.errors import TrainingError
from training.fitting.board import Board
from training.fitting.metrics import MetricsFile
from training.fitting.saving import saving


@dataclasses.dataclass(frozen=True)
class StepFigures:
    """The loss and the metrics of a step by name, and the learning rate that it used.

    `busy_seconds` is how long steps have taken so far, without validations and checkpoints.
    """

    step: int
    values: dict[str, float]
    learning_rate: float
    busy_seconds: float


class TensorCallbacks(keras.callbacks.CallbackList):
    """Gives its callbacks the figures of a step as tensors; Keras waits for their values."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class StepCallback(keras.callbacks.Callback):
    """Knows the number of the last step, and its figures as tensors."""

    def __init__(self, first_step: int) -> None:
        super().__init__()
        self.step = first_step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        self.after_step(logs or {})

    def after_step(self, logs: dict[str, tf.Tensor]) -> None:
        raise NotImplementedError


class LateFigures(StepCallback):
    """Hands the figures of a step to each of `readers`, after the next step or in `settle`.

    They are the step's own, and not means over those before.
    """

    def __init__(self, first_step: int, readers: Sequence[Callable[[StepFigures], None]]) -> None:
        super().__init__(first_step)
        self._readers = readers
        self._pending: tuple[int, dict[str, tf.Tensor], tf.Tensor] | None = None
        self._busy_seconds = self._started = 0.0
        self._rate = tf.zeros([])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()
        self.model.reset_metrics()
        self._rate = tf.convert_to_tensor(self.model.optimizer.learning_rate)

    def after_step(self, logs: dict[str, tf.Tensor]) -> None:
        self._hand_over()
        self._pending = (self.step, logs, self._rate)
        self._busy_seconds += time.perf_counter() - self._started

    def on_train_end(self, logs: Any = None) -> None:
        self.settle()

    def settle(self) -> None:
        """Hands over the figures of the last step, if that has not happened yet."""
        started = time.perf_counter()
        self._hand_over()
        self._busy_seconds += time.perf_counter() - started

    def _hand_over(self) -> None:
        if self._pending is None:
            return
        (step, logs, rate), self._pending = self._pending, None
        values = {name: float(value) for name, value in logs.items()}
        figures = StepFigures(step, values, float(rate), self._busy_seconds)
        for read in self._readers:
            read(figures)


@dataclasses.dataclass(frozen=True)
class RequireFiniteLoss:
    """Raises `TrainingError` if the loss of a step is not finite; `describe` names its windows."""

    run_dir: str
    describe: Callable[[int], str]

    def __call__(self, figures: StepFigures) -> None:
        step, loss = figures.step, figures.values["loss"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"{self.run_dir}: the loss of step {step} is {loss}: the weights diverged on "
                f"{self.describe(step)}; start another run with a smaller learning_rate"
            )


class WriteFigures:
    """Writes the figures of each step to the file of metrics and to TensorBoard, and shows them.

    They are those of the run's `score`: bits, or the loss and all metrics of a compiled model.
    """

    def __init__(
        self,
        *,
        run_dir: str,
        metrics: MetricsFile,
        board: Board,
        shown: ProgressDisplay,
        score: str,
    ) -> None:
        self._run_dir, self._shown, self._score = run_dir, shown, score
        self._metrics, self._board = metrics, board
        self._frames = 0.0
        self.frames_per_second = 0.0
        """Valid frames in a second of steps; validations and checkpoints are not counted."""

    def __call__(self, figures: StepFigures) -> None:
        values, further = figures.values, {}
        if self._score == "bits":
            self._frames += values["frames"]
            self.frames_per_second = self._frames / figures.busy_seconds
            further = {"frames_per_second": self.frames_per_second}
            text = f"bits/dim={values['bits']:.3f}, frames/s={self.frames_per_second:.0f}"
            values = {name: values[name] for name in ("bits", "frames")}
        else:
            text = f"loss={values['loss']:.4g}"
        values = {**values, "learning_rate": figures.learning_rate}
        with saving(self._run_dir):
            self._metrics.write(figures.step, values)
            self._board.scalars(figures.step, {**values, **further})
        self._shown.update(figures=text)
