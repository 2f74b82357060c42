"""Reasons to stop before the last step: a signal, and validations that get no better."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one of them acts as usual."""
    stop = threading.Event()
    usual: dict[int, Any] = {}

    def restore() -> None:
        while usual:
            signal.signal(*usual.popitem())

    def handle(number: int, frame: object) -> None:
        stop.set()
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            usual[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()


def no_longer_improves(validations: Sequence[tuple[int, float]], patience: int | None) -> bool:
    """Whether the last `patience` validations, as (step, bits), were no better than one before.

    Never, if `patience` is None.
    """
    if patience is None or len(validations) <= patience:
        return False
    bits = [each for _, each in validations]
    return min(bits[-patience:]) >= min(bits[:-patience])
