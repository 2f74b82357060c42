"""Processes that wait for the work of a run on this machine.

They are forked from a server that imports Beam once, while the run itself is still starting.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver
from multiprocessing.connection import Connection

_CONTEXT = multiprocessing.get_context("forkserver")


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_workers() -> None:
    """Starts, in the background, the server that workers are forked from."""
    _CONTEXT.set_forkserver_preload(["pipelines.worker_imports"])
    forkserver.ensure_running()


class WorkerProcess:
    """A process that serves a Beam runner once it is told where that is.

    It ends when this process does, however that ends.
    """

    def __init__(self) -> None:
        prepare_workers()
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_wait_for_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._status: int | None = None
        self._stopped = False

    def begin(self, address: str, worker_id: str) -> None:
        """Lets it serve the runner at a gRPC address."""
        self._pipe.send((address, worker_id))

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._status = self._process.exitcode
            self._process.kill()
            self._process.join()

    def why_ended(self) -> str | None:
        """What happened to it, if it had failed before it was stopped."""
        if not self._status:
            return None
        if self._status < 0:
            return f"was killed ({signal.Signals(-self._status).name})"
        return f"ended with status {self._status}"


def _wait_for_work(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which then ends this.
    # Beam prints the traceback of whatever it hands on, and gRPC that the run has ended.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        address, worker_id = pipe.recv()
    except EOFError:
        return
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()

    from apache_beam.runners.portability.fn_api_runner import worker_handlers
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    SdkHarness(
        address,
        worker_id=worker_id,
        state_cache_size=worker_handlers.STATE_CACHE_SIZE_MB * worker_handlers.MB_TO_BYTES,
        data_buffer_time_limit_ms=worker_handlers.DATA_BUFFER_TIME_LIMIT_MS,
        runner_capabilities=worker_handlers.FNAPI_RUNNER_CAPABILITIES,
    ).run()


def _end_with(pipe: Connection) -> None:
    """Ends this process when the one at the other end of the pipe has ended."""
    try:
        pipe.recv()
    except EOFError:
        os._exit(1)
