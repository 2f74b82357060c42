"""A random sample of frames, of bounded size, from a stream of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.baselines.scoring import SCORED_FROM

SAMPLE_FRAMES = 4_096


class FrameSample:
    """Keeps `SAMPLE_FRAMES` scored frames, each with the two before it, all equally likely.

    That is 6 * n_mels bytes a frame. A function of the windows and of `seed`.
    """

    def __init__(self, n_mels: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._keys = np.empty(0)
        self._kept = np.empty((0, SCORED_FROM + 1, n_mels), np.int16)

    def add(self, levels: NDArray[Any]) -> None:
        count = max(0, len(levels) - SCORED_FROM)
        parts = [levels[first : first + count] for first in range(SCORED_FROM + 1)]
        windows = np.stack(parts, axis=1).astype(np.int16)
        keys = np.concatenate([self._keys, self._rng.random(count)])
        kept = np.argsort(keys, kind="stable")[:SAMPLE_FRAMES]
        self._kept = np.concatenate([self._kept, windows])[kept]
        self._keys = keys[kept]

    def windows(self) -> NDArray[np.int16]:
        """The frames, each as a window of its own: grid indices [sample, 3, n_mels]."""
        return self._kept
