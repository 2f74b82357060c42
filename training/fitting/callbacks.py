"""What happens between the steps of a run, beside its figures."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import tensorflow as tf

from training.config import LoopConfig
from training.errors import TrainingError
from training.fitting.board import Board
from training.fitting.checkpoints import Checkpoints, Validations
from training.fitting.figures import LateFigures, StepCallback
from training.fitting.metrics import MetricsFile
from training.fitting.saving import saving
from training.fitting.scoring import LossValidation, Validation, averaged_weights
from training.fitting.stopping import no_longer_improves

_DRAWS = 64
"""More than a layer draws in a step."""


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

    def after_step(self, logs: dict[str, tf.Tensor]) -> None:
        pass


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
        figures: LateFigures,
    ) -> None:
        super().__init__(first_step)
        self.validations = validations
        self._run_dir, self._loop, self._stop = run_dir, loop, stop
        self._figure = f"validation_{score}"
        self._validation, self._checkpoints = validation, checkpoints
        self._metrics, self._board, self._figures = metrics, board, figures

    def after_step(self, logs: dict[str, tf.Tensor]) -> None:
        is_last = self.step == self._loop.steps
        due = is_last or self.step % self._loop.validation_interval == 0
        if not due and not self._stop.is_set():
            return
        self._figures.settle()
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
