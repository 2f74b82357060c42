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
from training.fitting.scoring import LossValidation, Validation, averaged_weights
from training.fitting.stopping import no_longer_improves
from training.runs import is_run

_DRAWS = 64
"""More than a layer draws in a step."""


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


class SeedLayers(StepCallback):
    """Makes what Keras's layers draw in a step a function of the run's seed and the step's number.

    Keras counts on from a seed that a checkpoint does not hold.
    """

    def __init__(self, first_step: int, seed: int) -> None:
        super().__init__(first_step)
        self._seed = seed
        self._states: list[tuple[Any, np.uint32]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        others = {id(each) for each in (*self.model.weights, *self.model.metrics_variables)}
        states = [each for each in self.model.variables if id(each) not in others]
        keys = np.random.SeedSequence(self._seed).generate_state(len(states))
        self._states = list(zip(states, keys, strict=True))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        for state, key in self._states:
            state.assign(np.array([key, self.step * _DRAWS % 2**32], np.uint32))

    def after_step(self, logs: dict[str, float]) -> None:
        pass


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
    """Writes the figures of each step to the file of metrics and to TensorBoard, and shows them.

    They are those of the run's `score`: bits, or the loss and all metrics of a compiled model.
    """

    def __init__(
        self,
        first_step: int,
        *,
        run_dir: str,
        metrics: MetricsFile,
        board: Board,
        shown: ProgressDisplay,
        score: str,
    ) -> None:
        super().__init__(first_step)
        self._run_dir, self._shown, self._score = run_dir, shown, score
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
        if self._score == "bits":
            self._frames += logs["frames"]
            speed = self.frames_per_second
            figures = {name: logs[name] for name in ("bits", "frames")}
            further = {"frames_per_second": speed}
            text = f"bits/dim={logs['bits']:.3f}, frames/s={speed:.0f}"
        else:
            figures, further = {name: float(logs[name]) for name in logs}, {}
            text = f"loss={logs['loss']:.4g}"
        figures = {**figures, "learning_rate": self._rate}
        with saving(self._run_dir):
            self._metrics.write(self.step, figures)
            self._board.scalars(self.step, {**figures, **further})
        self._shown.update(figures=text)


class ValidateAndSave(StepCallback):
    """Scores the validation split now and then, and writes a checkpoint after that and at the end.

    Training ends early once `stop` is set, or `loop.patience` validations did not improve.
    `validations` are those of the run so far, as (step, score).
    """

    def __init__(
        self,
        first_step: int,
        validations: Validations,
        *,
        run_dir: str,
        loop: LoopConfig,
        score: str,
        validation: Validation | LossValidation,
        checkpoints: Checkpoints,
        metrics: MetricsFile,
        board: Board,
        stop: threading.Event,
    ) -> None:
        super().__init__(first_step)
        self.validations = validations
        self._run_dir, self._loop, self._stop = run_dir, loop, stop
        self._figure = f"validation_{score}"
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
            score = self._validation.score()
            picture = self._validation.picture()
        self.validations = (*self.validations, (self.step, score))
        with saving(self._run_dir):
            self._metrics.write(self.step, {self._figure: score})
            self._board.scalars(self.step, {self._figure: score})
            if picture is not None:
                name = "validation: target above one-step-ahead mean"
                self._board.picture(name, self.step, *picture)

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
