"""The line between a store and its clients: a delay, and a pipe that all answers share."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

_PIECE_BYTES = 16_384
_SHORTEST_SLEEP = 0.001
_MOST_LATENESS = 0.1
"""Seconds by which the pipe may lag behind its clock, and still make up for it."""


class Link:
    """A line with a delay and a rate.

    Answers that are sent at the same time take turns, a piece each, however many connections there
    are. What a busy thread sends too late is made up for, what an idle line could have sent is not.

    Args:
        delay_seconds: How much later the answer to each GET starts.
        bytes_per_second: What the bodies of all answers together pass at.
    """

    def __init__(self, *, delay_seconds: float = 0, bytes_per_second: float = math.inf) -> None:
        self._delay, self._rate = delay_seconds, bytes_per_second
        self._lock = threading.Lock()
        self._answers = 0
        self._free_at = 0.0

    def delay(self, method: str) -> None:
        if method == "GET":
            time.sleep(self._delay)

    def send(self, body: bytes, write: Callable[[memoryview], object]) -> None:
        """Hands a body to `write`, piece by piece, each when the line has passed it on."""
        view = memoryview(body)
        if self._rate == math.inf:
            write(view)
            return
        with self._lock:
            if not self._answers:
                self._free_at = max(self._free_at, time.monotonic())
            self._answers += 1
        try:
            for start in range(0, len(view), _PIECE_BYTES):
                piece = view[start : start + _PIECE_BYTES]
                self._wait_for_turn(len(piece))
                write(piece)
        finally:
            with self._lock:
                self._answers -= 1

    def _wait_for_turn(self, nbytes: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - _MOST_LATENESS) + nbytes / self._rate
            wait = self._free_at - now
        if wait > _SHORTEST_SLEEP:
            time.sleep(wait)
