"""What the values of options may be: functions for argparse's `type`, which say what is wrong.

Each takes the text of a value and returns what it means, or raises `ArgumentTypeError`.
"""

from __future__ import annotations

import difflib
import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable

from schemas.errors import DuetError


class UsageError(DuetError):
    """A command line is wrong, whatever the files it names hold."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` with the known word most like `word`, or nothing if none is."""
    by_letters = {each.lstrip("-"): each for each in known}  # Dashes make any two flags alike.
    found = difflib.get_close_matches(word.lstrip("-"), by_letters, n=1)
    return f"; did you mean {by_letters[found[0]]}?" if found else ""


def path(text: str) -> str:
    """The path of a file or folder."""
    if not text:
        raise ArgumentTypeError("the path is empty; name a file or a folder")
    return text


def local_path(text: str) -> str:
    """The path of a file or folder on a local disk."""
    if "://" in text:
        raise ArgumentTypeError(f"{text!r} is a URL; this must be on a local disk")
    return path(text)


def path_ending_in(ending: str) -> Callable[[str], str]:
    """The path of a local file whose name ends in `ending`, in whatever case."""

    def parse(text: str) -> str:
        local_path(text)
        name = text.replace("\\", "/").rpartition("/")[2]
        if not name.lower().endswith(ending) or len(name) == len(ending):
            raise ArgumentTypeError(f"{text!r} is not the name of a {ending} file")
        return text

    return parse


def integer(text: str, *, least: int | None = None, most: int | None = None) -> int:
    """A whole number from `least` to `most`, both included."""
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not an integer") from None
    if least is not None and number < least:
        needed = {0: "0 or more", 1: "a positive integer"}.get(least, f"at least {least}")
        raise ArgumentTypeError(f"{text} must be {needed}")
    if most is not None and number > most:
        raise ArgumentTypeError(f"{text} must be at most {most}")
    return number


def count(text: str) -> int:
    """A whole number from 1."""
    return integer(text, least=1)


def natural(text: str) -> int:
    """A whole number from 0."""
    return integer(text, least=0)


def seed_31_bits(text: str) -> int:
    """A whole number from 0 to 2**31 - 1."""
    return integer(text, least=0, most=2**31 - 1)


def number(text: str) -> float:
    """A finite number."""
    try:
        found = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(found):
        raise ArgumentTypeError(f"{text} is not a finite number")
    return found


def positive(text: str) -> float:
    """A finite number above 0."""
    found = number(text)
    if found <= 0:
        raise ArgumentTypeError(f"{text} must be a positive number")
    return found


def positive_megabytes(text: str) -> float:
    """Megabytes of 1,000,000 bytes; at least one byte."""
    found = number(text)
    if not 1 <= found * 1e6 < math.inf:
        raise ArgumentTypeError(f"{text} must be a positive number of megabytes")
    return found


def number_between(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    """A number from `low` to `high`, both included; `low` itself is left out if `above`."""

    def parse(text: str) -> float:
        found = number(text)
        if not low <= found <= high or (above and found == low):
            start = f"above {low:g} and at most" if above else f"from {low:g} to"
            raise ArgumentTypeError(f"{text} must be {start} {high:g}")
        return found

    return parse


def one_of(known: Iterable[str]) -> Callable[[str], str]:
    """One of some words."""
    words = tuple(known)

    def parse(text: str) -> str:
        if text not in words:
            meant = did_you_mean(text, words)
            raise ArgumentTypeError(f"{text!r} is not one of {', '.join(words)}{meant}")
        return text

    return parse


def some_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """One or more of some words, separated by commas, once each."""
    word = one_of(known)

    def parse(text: str) -> tuple[str, ...]:
        words = tuple(word(part.strip()) for part in text.split(","))
        if len(set(words)) < len(words):
            raise ArgumentTypeError(f"{text!r} names one of them twice")
        return words

    return parse


def positions(text: str) -> tuple[int, ...]:
    """Whole numbers from 0, separated by commas."""
    try:
        return tuple(natural(part) for part in text.split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"{text!r} is not a list of positions, such as 0,3: whole numbers separated by commas"
        ) from None
