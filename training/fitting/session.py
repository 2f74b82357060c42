"""One call of `fit` with all that belongs to a run: its callbacks, its files, and its end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from musicnet_duet.progress import ProgressDisplay
from training.custom_models import blaming
from training.errors import TrainingError
from training.fitting.batches import reader_state, training_batches
from training.fitting.board import Board
from training.fitting.callbacks import SeedLayers, ValidateAndSave
from training.fitting.checkpoints import Checkpoints, Validations
from training.fitting.figures import LateFigures, RequireFiniteLoss, TensorCallbacks, WriteFigures
from training.fitting.metrics import MetricsFile
from training.fitting.presenting import present_sample, write_curve
from training.fitting.saving import saving
from training.fitting.scoring import LossValidation, Validation
from training.fitting.stopping import stop_signals
from training.models.frame_model import FrameModel
from training.reading.reader import Reader
from training.runs import METRICS, TENSORBOARD, Run

_WINDOWS_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Fitted:
    """The run's last `step` and its `validations`, after `fit`.

    `frames_per_second` is None for a model that is scored by a loss of its own.
    """

    step: int
    validations: Validations
    frames_per_second: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """What steps from `first_step` on need; `validations` are those before it.

    The folder `run_dir` holds the run; `callbacks` act after the run's own.
    """

    run_dir: str
    run: Run
    model: Any
    train_reader: Reader
    validation_reader: Reader
    checkpoints: Checkpoints
    first_step: int = 0
    validations: Validations = ()
    callbacks: Sequence[keras.callbacks.Callback] = ()

    def fit(self) -> Fitted:
        """Steps until all are done or there is a reason to stop; saves what was done."""
        first, folder, run = self.first_step, Path(self.run_dir), self.run
        steps = run.loop.steps
        with contextlib.ExitStack() as stack:
            stop = stack.enter_context(stop_signals())
            stack.enter_context(saving(self.run_dir))
            board = stack.enter_context(Board(folder / TENSORBOARD))
            metrics = MetricsFile(folder / METRICS, done=first)
            shown = stack.enter_context(
                ProgressDisplay("training", unit="steps", total=steps, done=first)
            )
            written = WriteFigures(
                run_dir=self.run_dir, metrics=metrics, board=board, shown=shown, score=run.score
            )
            figures = LateFigures(first, [RequireFiniteLoss(self.run_dir, self._describe), written])
            kind = Validation if run.score == "bits" else LossValidation
            keeper = ValidateAndSave(
                first,
                self.validations,
                run_dir=self.run_dir,
                loop=run.loop,
                score=run.score,
                validation=kind(self.model, self.validation_reader),
                checkpoints=self.checkpoints,
                metrics=metrics,
                board=board,
                stop=stop,
                figures=figures,
            )
            self._step(figures, keeper)
            write_curve(folder, run, keeper.step, keeper.validations)
            if keeper.step == steps and isinstance(self.model, FrameModel):
                present_sample(board, steps, self.model, self.validation_reader)
        speed = written.frames_per_second if run.score == "bits" else None
        return Fitted(keeper.step, keeper.validations, speed)

    def _step(self, figures: LateFigures, keeper: ValidateAndSave) -> None:
        run, first = self.run, self.first_step
        steps = run.loop.steps - first
        seeds = [] if run.function is None else [SeedLayers(first, run.training.seed)]
        own = contextlib.nullcontext() if run.function is None else blaming(run.function, "fit")
        with own, self._reading(keeper):
            self.model.fit(
                training_batches(self.train_reader, run.training, first),
                epochs=1,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                callbacks=TensorCallbacks(
                    [*seeds, figures, keeper, *self.callbacks],
                    add_history=True,
                    model=self.model,
                    epochs=1,
                    steps=steps,
                    verbose=0,
                ),
            )

    def _describe(self, step: int) -> str:
        """The recordings and frames of the windows of a step, or of the first of them."""
        batch = next(self._from(step))
        columns = (batch[name].tolist() for name in ("recording_id", "first_frame", "valid_frames"))
        windows = [
            f"{name} frames {first} to {first + valid - 1}"
            for name, first, valid in zip(*columns, strict=True)
        ]
        more = len(windows) - _WINDOWS_SHOWN
        shown = windows[:_WINDOWS_SHOWN] + ([f"{more} more windows"] if more > 0 else [])
        return ", ".join(shown)

    def _from(self, step: int) -> Iterator[dict[str, Any]]:
        """The batches of `step` and of those after it."""
        batches = iter(self.train_reader)
        batches.set_state(reader_state(self.train_reader, step - 1))
        return batches

    @contextlib.contextmanager
    def _reading(self, keeper: ValidateAndSave) -> Iterator[None]:
        """Turns TensorFlow's errors into those that the reader raised within its functions."""
        try:
            yield
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            next(self._from(keeper.step + 1))  # Raises what it raised before.
            cause = error.message.split("\n")[0]
            raise TrainingError(
                f"{self.run_dir}: step {keeper.step + 1} failed ({cause}); run the same command "
                "again with resume=True"
            ) from error
