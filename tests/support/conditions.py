"""Models of all conditions, and windows that differ beyond a horizon alone."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from schemas import PRESETS
from training.config import FrameModelConfig
from training.horizon import HEARD, NOTES_AHEAD
from training.models import FrameModel

FRAMES = 14
N_MELS = 6

CONDITIONS = [each for count in (1, 2, 3) for each in combinations(HEARD, count)]


def model_of(preset: str = "librosa", **settings: Any) -> FrameModel:
    features = PRESETS[preset]
    model = FrameModel(
        FrameModelConfig(
            **{
                "n_mels": N_MELS,
                "hop_length": features.hop_length,
                "n_fft": features.n_fft,
                "sample_rate": features.sample_rate,
                "units": (5,),
                "head": "independent",
                **settings,
            }
        )
    )
    model.set_statistics(np.linspace(-20, -60, N_MELS), np.linspace(5, 12, N_MELS))
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    return model


def inputs_of(model: FrameModel, seed: int = 0) -> dict[str, np.ndarray]:
    """A window of everything, of which nothing is silent."""
    rng = np.random.default_rng(seed)
    samples = FRAMES * model.config.hop_length
    return {
        "log_mel": rng.normal(-40, 15, (1, FRAMES, N_MELS)).astype(np.float32),
        "waveform": rng.integers(-20_000, 20_000, (1, samples)).astype(np.int16),
        "notes": rng.integers(0, 2, (1, FRAMES, 128)).astype(np.uint8),
        "onsets": rng.integers(0, 2, (1, FRAMES, 128)).astype(np.uint8),
    }


def mixed(model: FrameModel, frame: int, later: int) -> dict[str, np.ndarray]:
    """The window up to the horizon of `frame`, `later` samples or frames beyond it, then another.

    Of what the model is to predict, the frame itself is the same.
    """
    reach = model.config.reach
    ends = {
        "log_mel": frame - reach.delay + 1,
        "waveform": frame * reach.hop_length + reach.offset,
        "notes": frame + NOTES_AHEAD + 1,
        "onsets": frame + NOTES_AHEAD + 1,
    }
    one, other = inputs_of(model), inputs_of(model, seed=1)
    for name, end in ends.items():
        one[name][:, max(0, end + later) :] = other[name][:, max(0, end + later) :]
    return one


def predicted(model: FrameModel, inputs: dict[str, np.ndarray], frame: int) -> bytes:
    return model(inputs).numpy()[:, frame].tobytes()
