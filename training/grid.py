"""The grid of levels that every model and every baseline puts its probability on.

`levels` are always indices into the grid; arrays in dB are called `db` or `log_mel`. The grid is
fixed: changing it would change the meaning of every figure in bits per dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST_DB = -100.0
HIGHEST_DB = 60.0
STEP_DB = 0.5
N_LEVELS = 321
"""Levels -100, -99.5, ..., 60 dB. A level is the nearest one to all within half a step of it."""


def quantize(db: NDArray[Any]) -> NDArray[np.int32]:
    """The grid indices, 0 to 320, of the levels nearest to `db`: int32 of any shape.

    Halves go to the even index; what lies beyond the grid goes to its edges.
    """
    indices = np.subtract(db, LOWEST_DB, dtype=np.float32)
    indices /= STEP_DB
    np.clip(np.rint(indices, out=indices), 0, N_LEVELS - 1, out=indices)
    return indices.astype(np.int32)


def dequantize(levels: NDArray[Any]) -> NDArray[np.float32]:
    """The dB of grid indices `levels` (integers, any shape): float32 of the same shape."""
    return (LOWEST_DB + STEP_DB * levels).astype(np.float32)
