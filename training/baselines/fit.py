"""All baselines, from one pass over the training split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.baselines.autoregression import AutoregressionFit
from training.baselines.histogram import HistogramFit
from training.baselines.predictors import (
    LinearChainFit,
    Persistence,
    Predicted,
    Predictor,
)
from training.baselines.residual import fit_residual
from training.baselines.sample import FrameSample
from training.baselines.scoring import SCORED_FROM, Baseline

NAMES = ("histogram", "persistence", "autoregression", "linear_chain")


def fit_baselines(windows: Iterable[NDArray[Any]], n_mels: int) -> dict[str, Baseline]:
    """The baselines by name, in the order of `NAMES`. Memory does not grow with the windows."""
    histogram, autoregression = HistogramFit(n_mels), AutoregressionFit(n_mels)
    chain, sample = LinearChainFit(n_mels), FrameSample(n_mels)
    for levels in windows:
        for each in (histogram, autoregression, chain, sample):
            each.add(levels)
    return {
        "histogram": histogram.result(),
        "persistence": _with_residual(Persistence(), sample),
        "autoregression": autoregression.result(),
        "linear_chain": _with_residual(chain.result(), sample),
    }


def _with_residual(predictor: Predictor, sample: FrameSample) -> Predicted:
    windows = sample.windows()
    means = [predictor.mean_db(each) for each in windows]
    levels = windows[:, SCORED_FROM]
    mean_db = np.concatenate(means) if means else np.empty(levels.shape)
    return Predicted(predictor, fit_residual(levels, mean_db))
