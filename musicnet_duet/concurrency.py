"""Results in their order, computed on several threads ahead of whoever takes them."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """As `map(function, items)`, on `threads` threads; the caller's is one of them.

    At most two results a thread are computed, or being computed, and not taken yet. What
    `function` raises is raised where its result would have been, and ends the rest.
    """
    if threads == 1:
        yield from map(function, items)
        return
    tasks: queue.SimpleQueue[tuple[Future[Result], Item] | None] = queue.SimpleQueue()
    results: deque[Future[Result]] = deque()

    def do(future: Future[Result], item: Item) -> None:
        try:
            future.set_result(function(item))
        except Exception as error:  # Ctrl-C comes through, in the caller's thread.
            future.set_exception(error)

    def help_out() -> None:
        while task := tasks.get():
            do(*task)

    def first_result() -> Result:
        """What nobody has begun yet is done here rather than waiting for somebody else."""
        while not results[0].done() and not tasks.empty():
            with contextlib.suppress(queue.Empty):
                if task := tasks.get_nowait():
                    do(*task)
        return results.popleft().result()

    helpers = [
        threading.Thread(target=help_out, name="prefetch_map", daemon=True)
        for _ in range(threads - 1)
    ]
    for helper in helpers:
        helper.start()
    try:
        for item in items:
            results.append(Future())
            tasks.put((results[-1], item))
            if len(results) == 2 * threads:
                yield first_result()
        while results:
            yield first_result()
    finally:
        for _ in helpers:
            tasks.put(None)


_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores() -> int:
    """The cores that this process may use, by its affinity and its container's share of time."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = map(int, _QUOTA.read_text().split())  # "max" where there is no limit
        cores = min(cores, max(1, quota // period))
    return cores
