"""One channel of several."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BLOCK_VALUES = 1 << 18
"""Samples, of all channels together, that are decoded at once."""


def averaged(values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Writes the average of the channels of samples [samples, channels] to `out` [samples]."""
    with np.errstate(over="ignore", invalid="ignore"):  # rejected later
        np.add.reduce(values, axis=1, out=out)
    out /= np.float32(values.shape[1])


def read_averaged(
    read: Callable[[int, int], NDArray[np.float32]], start: int, stop: int, channels: int
) -> NDArray[np.float32]:
    """Samples start..stop-1 of the average of all channels, float32 [stop - start].

    `read(start, stop)` gives samples [samples, channels], or [samples] of a single channel; it is
    asked for a block after the other.
    """
    if channels == 1:
        return read(start, stop)
    samples = np.empty(stop - start, np.float32)
    block = max(1, BLOCK_VALUES // channels)
    for at in range(0, len(samples), block):
        part = samples[at : at + block]
        averaged(read(start + at, start + at + len(part)), out=part)
    return samples
