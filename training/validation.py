"""Checks of the numbers that a user gives, each at both ends of its range."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

from training.errors import TrainingError

MAX_SEED = 2**31 - 1
MAX_STEPS = 2**31 - 1
MAX_BYTES = 2**63 - 1

SMALLEST_FACTOR = 1e-37
LARGEST_FACTOR = 1e38
"""Factors outside of these are 0 or infinite as float32."""


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """`value`, a Python or numpy integer from `low` to `high`, as a Python integer.

    Raises `TrainingError`, with the name and the value, for anything else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise TrainingError(f"{name}={value!r} must be an integer from {low} to {high}")
    return number


def real_number(name: str, value: Any, low: float, high: float) -> float:
    """`value`, a Python or numpy number from `low` to `high`, as a Python float.

    Raises `TrainingError`, with the name and the value, for anything else.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or not math.isfinite(value):
        raise TrainingError(f"{name}={value!r} must be a number from {low:g} to {high:g}")
    return float(value)
