"""What a run shows of itself: its learning curve, and a sample at the end."""

from __future__ import annotations

from pathlib import Path

from schemas import FeatureConfig, Storage
from training.fitting.board import Board
from training.fitting.checkpoints import Validations, best_of
from training.fitting.curve import Curve, draw_curve
from training.grid import dequantize
from training.inversion import mel_to_audio
from training.models.frame_model import FrameModel
from training.models.sampling import SamplingConfig, sample_levels
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


def present_sample(board: Board, step: int, model: FrameModel, config: FeatureConfig) -> None:
    """Adds a free-running sample, as long as a window, to TensorBoard: as a picture and sound."""
    frames = config.window_frames
    levels = sample_levels(model, frames, seeds=[0], config=SamplingConfig.for_music())[0]
    log_mel = dequantize(levels)
    board.picture("free-running sample", step, log_mel)
    samples = mel_to_audio(log_mel, config, length=(frames - 1) * config.hop_length, seed=0)
    board.sound("free-running sample", step, samples, config.sample_rate)
