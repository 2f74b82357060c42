"""What a run shows of itself: its learning curve, and a sample at the end."""

from __future__ import annotations

from pathlib import Path

from schemas import Storage
from training.fitting.board import Board
from training.fitting.checkpoints import Validations, best_of
from training.fitting.curve import Curve, draw_curve
from training.grid import dequantize
from training.inversion import mel_to_audio
from training.models.frame_model import FrameModel
from training.models.sampling import sample_levels, sampling_of
from training.models.score import Score
from training.reading.reader import Reader
from training.runs import CURVE, METRICS, Run


def write_curve(folder: Path, run: Run, step: int, validations: Validations) -> None:
    """Draws the file of metrics in a run's `folder` as it is after `step` steps."""
    lines = Storage(folder).read_bytes(METRICS).splitlines()
    model = run.function or " ".join(map(str, (run.model.recurrent, *run.model.units)))
    picture = draw_curve(
        Curve.of(lines, run.score),
        label={"bits": "bits per dimension", "loss": "loss"}[run.score],
        best_step=best_of(validations)[0],
        title=f"{folder.resolve().name}: {model}, {step} steps",
    )
    Storage(folder).write_bytes(CURVE, picture)


def present_sample(board: Board, step: int, model: FrameModel, reader: Reader) -> None:
    """Adds a free-running sample, as long as a window, to TensorBoard: as a picture and sound.

    A model that hears notes is given those of the first window that `reader` has. Nothing is added
    for a model that does not generate.
    """
    if not model.config.generates:
        return
    config, score = reader.dataset.config, None
    if "notes" in model.config.hears:
        window = next(reader.in_order())
        score = Score(window["notes"][:1], window["onsets"][:1])
    frames = config.window_frames
    levels = sample_levels(model, frames, seeds=[0], config=sampling_of(model.config), score=score)[
        0
    ]
    log_mel = dequantize(levels)
    board.picture("free-running sample", step, log_mel)
    samples = mel_to_audio(log_mel, config, seed=0)
    board.sound("free-running sample", step, samples, config.sample_rate)
