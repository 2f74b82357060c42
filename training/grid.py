"""The grid of levels that every model and every baseline puts its probability on.

It is fixed: changing it would change the meaning of every figure in bits per dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST_DB = -100.0
HIGHEST_DB = 60.0
STEP_DB = 0.5
N_LEVELS = 321
"""Levels -100, -99.5, ..., 60 dB. A level stands for all that is nearer to it than to another."""


def quantize(db: NDArray[Any]) -> NDArray[np.int32]:
    """The numbers, 0 to 320, of the levels nearest to `db` (any shape, in dB).

    Halves go to the even number; what lies beyond the grid goes to its edges.
    """
    numbers = np.subtract(db, LOWEST_DB, dtype=np.float32)
    numbers /= STEP_DB
    np.clip(np.rint(numbers, out=numbers), 0, N_LEVELS - 1, out=numbers)
    return numbers.astype(np.int32)


def dequantize(levels: NDArray[Any]) -> NDArray[np.float32]:
    """The levels, in dB, that have the numbers `levels` (integers, any shape)."""
    return (LOWEST_DB + STEP_DB * levels).astype(np.float32)
