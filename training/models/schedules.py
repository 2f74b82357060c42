"""The learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

FLOOR = 0.02
"""The share of the peak that is left when the decay is over."""


@keras.saving.register_keras_serializable(package="musicnet_duet")
class WarmUpCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises in a line to `peak` in `warmup_steps`, and falls along a cosine until `decay_steps`.

    Both are counted from the first step. The rate then stays at `FLOOR` times the peak. It is
    computed in float32, whatever Keras's own settings are.
    """

    def __init__(self, peak: float, warmup_steps: int, decay_steps: int) -> None:
        self.peak, self.warmup_steps, self.decay_steps = peak, warmup_steps, decay_steps

    def __call__(self, step: Any) -> tf.Tensor:
        done = tf.cast(step, tf.float32)
        rise = (done + 1) / max(1, self.warmup_steps)
        after = (done - self.warmup_steps) / max(1, self.decay_steps - self.warmup_steps)
        cosine = (1 + tf.cos(math.pi * tf.clip_by_value(after, 0.0, 1.0))) / 2
        return self.peak * tf.minimum(rise, FLOOR + (1 - FLOOR) * cosine)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay_steps": self.decay_steps,
        }
