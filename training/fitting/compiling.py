"""The optimizer, loss and metrics of a model that gives packed mixtures."""

from __future__ import annotations

from typing import Any

import keras

from training.config import TrainingConfig
from training.models.losses import BitsPerDimension, FrameCount, NegativeLogLikelihood
from training.models.schedules import WarmUpCosine


def compile_model(model: Any, training: TrainingConfig) -> None:
    """Compiles a model that is built, and makes the variables of its optimizer."""
    decay_steps = training.decay_steps or training.warmup_steps
    optimizer = keras.optimizers.Adam(
        WarmUpCosine(training.learning_rate, training.warmup_steps, decay_steps),
        global_clipnorm=training.clip_norm,
        use_ema=training.ema > 0,
        ema_momentum=training.ema,
    )
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer,
        NegativeLogLikelihood(),
        weighted_metrics=[BitsPerDimension(), FrameCount()],
        jit_compile=False,
    )
