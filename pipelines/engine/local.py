"""Runs on this machine: their worker processes, and what made them fail.

The workers share the elements of Beam's bundles. They are plain Python processes: `subprocess`
starts them, and pickles in a pipe say what to do. A worker imports what it needs as soon as it is
started, so a run is best begun before Beam is imported.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pickle
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, TypeVar, cast

from pipelines.errors import PipelineError

Element = TypeVar("Element")
Result = TypeVar("Result")

_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pipelines.engine.worker import serve; serve()"
)


@dataclasses.dataclass
class LocalRun:
    """A run of this process. `pool` is None where it has no processes but this one; `failure` is
    the first error of a step, or Ctrl-C, which Beam hands on as an error of its own. Of `listed`
    recordings, which is None before it is known, `inspected` have been looked at.
    """

    name: str
    pool: WorkerPool | None
    failure: BaseException | None = None
    listed: int | None = None
    inspected: int = 0
    _counting: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def count_inspected(self) -> None:
        with self._counting:
            self.inspected += 1


_runs: dict[str, LocalRun] = {}


@contextlib.contextmanager
def local_run(workers: int) -> Iterator[LocalRun]:
    """Begins a run of `workers` workers; they end with the block.

    One worker is this process itself: a second one would only hold more memory. Raises
    `PipelineError` where processes cannot be started.
    """
    run = LocalRun(secrets.token_hex(8), WorkerPool(workers) if workers > 1 else None)
    _runs[run.name] = run
    try:
        yield run
    finally:
        del _runs[run.name]
        if run.pool:
            run.pool.close()


def find_run(name: str) -> LocalRun | None:
    """The run of this process that has a name; None in the processes of another engine."""
    return _runs.get(name)


@contextlib.contextmanager
def noting_failure(name: str) -> Iterator[None]:
    """Keeps an error of the block for the run that has a name, if it is this process's."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if (run := find_run(name)) and run.failure is None:
            run.failure = error
        raise


class WorkerDiedError(PipelineError):
    """A worker process ended before it had answered."""


class WorkerPool:
    """Worker processes. Raises `PipelineError` where they cannot be started."""

    def __init__(self, workers: int) -> None:
        self._processes: list[_WorkerProcess] = []
        self._idle: queue.SimpleQueue[_WorkerProcess] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        try:
            for _ in range(workers):
                self._processes.append(_WorkerProcess())
                self._idle.put(self._processes[-1])
        except OSError as error:
            self.close()
            raise PipelineError(
                f"worker processes cannot be started: {error}; use workers=1"
            ) from error

    def submit(self, step: Callable[[Element], Result], element: Element) -> Future[Result]:
        """Has `step(element)` computed by the next worker that is free.

        The future raises what the step raises, or `WorkerDiedError`.
        """
        return self._threads.submit(self._compute, pickle.dumps(step), element)

    def close(self) -> None:
        """Ends all workers at once, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.stop()
        self._threads.shutdown()

    def _compute(self, step: bytes, element: Any) -> Any:
        process = self._idle.get()
        try:
            return process.compute(step, element)
        finally:
            self._idle.put(process)


class _WorkerProcess:
    """One worker, and the pipes to it."""

    def __init__(self) -> None:
        quiet = not logging.getLogger().isEnabledFor(logging.INFO)
        # Ctrl-C reaches every process of a terminal. It is for the run, which then ends these; they
        # inherit that it is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._tasks = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._send(sys.path)

    def compute(self, step: bytes, element: Any) -> Any:
        self._send((step, element))
        try:
            succeeded, answer = pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError):  # It died, perhaps in the middle of an answer.
            raise WorkerDiedError(self._why_ended()) from None
        if succeeded:
            return answer
        raise answer

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._tasks, self._answers):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # It has died, and will not answer.
            pickle.dump(message, self._tasks)
            self._tasks.flush()

    def _why_ended(self) -> str:
        status = self._process.wait()
        how = f"ended with status {status}"
        if status < 0:
            how = f"was killed ({signal.Signals(-status).name})"
        return (
            f"a worker process {how}; the same command resumes the run, with fewer workers if the "
            "system's log says that memory ran out"
        )
