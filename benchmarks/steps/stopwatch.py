"""The time of a step, once the first ones have compiled everything."""

from __future__ import annotations

import time
from collections.abc import Callable

WARM_UP = 2
"""Steps that are not counted."""

LEAST = 3
SECONDS = 5.0


class Stopwatch:
    """Counts the steps after the first `WARM_UP`: at least `LEAST`, and for at least `SECONDS`."""

    def __init__(self) -> None:
        self._steps = -WARM_UP
        self._wall = self._cpu = 0.0

    def step_done(self) -> bool:
        """Notes the end of a step; whether they were enough."""
        self._steps += 1
        if self._steps <= 0:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
            return False
        return self._steps >= LEAST and time.perf_counter() - self._wall >= SECONDS

    def figures(self) -> dict[str, float]:
        """Milliseconds of a step: by the clock, and of all threads of the process together."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall_ms": 1000 * wall / self._steps, "cpu_ms": 1000 * cpu / self._steps}


def timed(step: Callable[[], object]) -> dict[str, float]:
    """The figures of a step that is done again and again."""
    watch, enough = Stopwatch(), False
    while not enough:
        step()
        enough = watch.step_done()
    return watch.figures()
