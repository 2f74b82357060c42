"""Objects that no argument expects, and what messages about them must look like."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

LONGEST_MESSAGE = 500
"""Characters, beside a path."""


class ManyLines:
    def __repr__(self) -> str:
        return "a line\n" * 1_000


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


NEGATIVE = -1
"""Among these, the only one that is a position of a sequence."""

ODDITIES: list[Any] = [
    np.zeros(100),
    np.zeros((20, 20), np.int64),
    np.array(["train", "log_mel"] * 20),
    np.array(["shuffled"]),
    np.array([[4]]),
    np.array(True),
    np.nan,
    np.datetime64("2020-01-01"),
    NEGATIVE,
    10**5_000,
    -(10**30),
    1 + 2j,
    (),
    [[4], [["a"] * 100] * 100],
    {"a": [1] * 1_000, "b": {}},
    {1, "b"},
    b"\n" * 1_000 + b"\0",
    "a\n\0" * 1_000,
    ManyLines(),
    [ManyLines()] * 3,
    NoRepr(),
    {"a": NoRepr()},
    ManyLines,
    itertools.count,
    NotImplemented,
    ...,
]


def name_of_oddity(value: Any) -> str:
    return f"{type(value).__name__}{np.size(value) if isinstance(value, np.ndarray) else ''}"


def assert_one_short_line(error: BaseException) -> None:
    text = str(error)
    assert text.isprintable()
    assert 10 < len(text) < LONGEST_MESSAGE, text
