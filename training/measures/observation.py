"""All that the measures make of one window."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig
from training.grid import dequantize, quantize
from training.measures.table import measures
from training.measures.transcriber import Transcriber, hidden_units

PATCH_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Observation:
    """One window.

    Attributes:
        measured: Its measures, by name.
        embedding: What `patch_embeddings` makes of it.
        notes: The notes that the transcriber hears, bool [frames, 128]; None without one.
    """

    measured: dict[str, float]
    embedding: NDArray[np.float32]
    notes: NDArray[np.bool_] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Ear:
    """What windows are observed with.

    A note sounds where its score by `transcriber` reaches `threshold`. Without a transcriber,
    nothing is known about notes.
    """

    config: FeatureConfig
    transcriber: Transcriber | None
    threshold: float

    def observe(self, log_mel: NDArray[Any]) -> Observation:
        """Observes `log_mel` [frames, n_mels] in dB. Levels are rounded to the grid of models."""
        levels = on_grid(log_mel)
        hidden = hidden_units(levels, self.config)
        notes = None
        if self.transcriber is not None:
            notes = self.transcriber.scores(hidden) >= self.threshold
        found = measures(levels, self.config, notes)
        return Observation(found, patch_embeddings(hidden, self.config), notes)


def patch_embeddings(hidden: NDArray[np.float32], config: FeatureConfig) -> NDArray[np.float32]:
    """An embedding of each second: float32 [seconds, 2 * hidden units].

    The mean and the standard deviation over its frames of the transcriber's `hidden_units`. Frames
    after the last whole second are left out.
    """
    frames = max(1, round(PATCH_SECONDS * config.frames_per_second))
    count = len(hidden) // frames
    patches = hidden[: count * frames].reshape(count, frames, hidden.shape[1])
    return np.concatenate([patches.mean(axis=1), patches.std(axis=1)], axis=1)


def on_grid(log_mel: NDArray[Any]) -> NDArray[np.float32]:
    """The levels in dB as models know them: the nearest ones on the grid."""
    return dequantize(quantize(log_mel))
