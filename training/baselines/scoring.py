"""Which frames are scored, and what every baseline does with them."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

SCORED_FROM = 2
"""The first frame of a window that has the two frames before it that baselines need."""


class Baseline(Protocol):
    """A fitted baseline."""

    def bits(self, levels: NDArray[Any]) -> NDArray[Any]:
        """-log2 p of the scored frames of one window: [frames - 2, n_mels]."""
        ...
