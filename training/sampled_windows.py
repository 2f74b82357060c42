"""Free-running samples of a run's model, as the measures take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.config import DEFAULT_CHECKPOINT
from training.generate import WARM_UP_SECONDS
from training.grid import dequantize
from training.models.sampling import sample_levels, sampling_of
from training.models.score import Score
from training.trained_model import load_trained


def sampled_windows(
    run_dir: str,
    checkpoint: str | int = DEFAULT_CHECKPOINT,
    *,
    windows: int,
    frames: int,
    seed: int,
    score: Score | None = None,
) -> NDArray[np.float32]:
    """Levels in dB, float32 [windows, frames, n_mels], that a checkpoint of the run makes up.

    As `generate` samples by default: from nothing, without the first second, or the `score` of each
    window, for a model that hears notes. The same run, arguments and machine give the same levels.
    `checkpoint` is that of `load_trained`, which raises `TrainingError` where there is no trained
    model.
    """
    trained = load_trained(run_dir, checkpoint)
    config = trained.run.features
    warm_up = round(WARM_UP_SECONDS * config.frames_per_second) if score is None else 0
    seeds = np.random.SeedSequence(seed).generate_state(windows).tolist()
    levels = sample_levels(
        trained.model,
        warm_up + frames,
        seeds=seeds,
        config=sampling_of(trained.model.config),
        score=score,
    )
    return dequantize(levels[:, warm_up:])
