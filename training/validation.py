"""Checks of the arguments that a user gives, and how messages show them."""

from __future__ import annotations

import math
import numbers
import operator
import reprlib
from collections.abc import Collection
from typing import Any

from training.errors import TrainingError

MAX_SEED = 2**31 - 1
MAX_STEPS = 2**31 - 1
MAX_BYTES = 2**63 - 1

SMALLEST_FACTOR = 1e-37
LARGEST_FACTOR = 1e38
"""Factors outside of these are 0 or infinite as float32."""


_MOST_CHARACTERS = 100
_MOST_BITS = 400


class _Repr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxlong = self.maxother = _MOST_CHARACTERS
        self.maxtuple = self.maxlist = self.maxdict = 8

    def repr_int(self, value: int, level: int) -> str:
        # Python does not write out an integer of more than some thousand digits.
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            return f"<an integer of {value.bit_length():,} bits>"
        return super().repr_int(value, level)


_REPR = _Repr()


def shown(value: Any) -> str:
    """The `repr` of any value for a message: on one line, and shortened where it is long."""
    try:
        text = " ".join(_REPR.repr(value).split())
    except Exception:
        text = f"<{type(value).__name__}>"
    half = _MOST_CHARACTERS // 2
    return text if len(text) <= _MOST_CHARACTERS + 2 else f"{text[:half]}...{text[-half:]}"


def whole_number(name: str, value: Any, low: int, high: int, *, remedy: str = "") -> int:
    """`value`, a Python or numpy integer from `low` to `high`, as a Python integer.

    Raises `TrainingError`, with the name, the value and the remedy, for anything else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise TrainingError(
            f"{name}={shown(value)} must be an integer from {low} to {high}{remedy}"
        )
    return number


def one_of(name: str, value: Any, choices: Collection[str]) -> str:
    """`value`, a text among `choices`. Raises `TrainingError`, with all of them, for others."""
    if not isinstance(value, str) or value not in choices:
        raise TrainingError(f"{name}={shown(value)} must be one of {', '.join(choices)}")
    return str(value)


def real_number(name: str, value: Any, low: float, high: float) -> float:
    """`value`, a Python or numpy number from `low` to `high`, as a Python float.

    Raises `TrainingError`, with the name and the value, for anything else.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or not math.isfinite(value):
        raise TrainingError(f"{name}={shown(value)} must be a number from {low:g} to {high:g}")
    return float(value)


def true_or_false(name: str, value: Any) -> bool:
    """`value`, a Python boolean. Raises `TrainingError`, with name and value, for others."""
    if not isinstance(value, bool):
        raise TrainingError(f"{name}={shown(value)} must be True or False")
    return value
