"""Free-running samples of a run's model, as the measures take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.config import DEFAULT_CHECKPOINT
from training.generate import WARM_UP_SECONDS
from training.grid import dequantize
from training.models.sampling import SamplingConfig, sample_levels
from training.trained_model import load_trained


def sampled_windows(
    run_dir: str,
    checkpoint: str | int = DEFAULT_CHECKPOINT,
    *,
    windows: int,
    frames: int,
    seed: int,
) -> NDArray[np.float32]:
    """Levels in dB, float32 [windows, frames, n_mels], that a checkpoint of the run makes up.

    As `generate` samples by default: at `DEFAULT_TEMPERATURE`, from nothing, without the
    first second. The same run, arguments and machine give the same levels. `checkpoint` is that of
    `load_trained`, which raises `TrainingError` where there is no trained model.
    """
    trained = load_trained(run_dir, checkpoint)
    warm_up = round(WARM_UP_SECONDS * trained.run.features.frames_per_second)
    seeds = np.random.SeedSequence(seed).generate_state(windows).tolist()
    levels = sample_levels(
        trained.model, warm_up + frames, seeds=seeds, config=SamplingConfig.for_music()
    )
    return dequantize(levels[:, warm_up:])
