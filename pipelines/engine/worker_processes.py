"""Processes that wait for the work of a run on this machine.

They are forked from a server that imports Beam once, while the run itself is still starting.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection

from pipelines.errors import PipelineError

_CONTEXT = multiprocessing.get_context("forkserver")


def prepare_workers() -> None:
    """Starts, in the background, the server that workers are forked from.

    Raises `PipelineError` where the system does not let it.
    """
    _CONTEXT.set_forkserver_preload(["pipelines.engine.worker_imports"])
    resource_tracker.ensure_running()  # Else the server starts it, which unblocks Ctrl-C again.
    # Ctrl-C reaches every process of a terminal. It is for the run, which then ends these; they
    # inherit that it is blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    except OSError as error:
        raise PipelineError(
            f"worker processes cannot be started: {error}; use --workers 1, or let TMPDIR name a "
            "folder that can be written to, by a short path"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerProcess:
    """A process that serves a Beam runner once it is told where that is.

    It ends when this process does, however that ends. Raises `PipelineError` where it cannot be
    started.
    """

    def __init__(self) -> None:
        prepare_workers()
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_wait_for_work, args=(theirs, _quiet()), daemon=True
        )
        self._process.start()
        theirs.close()
        self._status: int | None = None
        self._stopped = threading.Event()
        self._stopping = threading.Lock()

    def begin(self, address: str, worker_id: str) -> None:
        """Lets it serve the runner at a gRPC address."""
        self._pipe.send((address, worker_id))

    def stop(self) -> None:
        """Ends it at once, and returns when it has ended."""
        with self._stopping:
            if not self._stopped.is_set():
                self._stopped.set()
                self._status = self._process.exitcode
                self._process.kill()
                self._process.join()
                self._pipe.close()

    def wait(self) -> None:
        """Returns when it has ended, for whatever reason."""
        multiprocessing.connection.wait([self._process.sentinel])

    def stopped_within(self, seconds: float) -> bool:
        """Waits until it is stopped, but no longer than that; whether it is."""
        return self._stopped.wait(seconds)

    def why_ended(self) -> str | None:
        """What happened to it, if it had failed before it was stopped."""
        if not self._status:
            return None
        if self._status < 0:
            return f"was killed ({signal.Signals(-self._status).name})"
        return f"ended with status {self._status}"


def _quiet() -> bool:
    return not logging.getLogger().isEnabledFor(logging.INFO)


def _wait_for_work(pipe: Connection, quiet: bool) -> None:
    # Beam prints the traceback of whatever it hands on, and gRPC that the run has ended.
    if quiet:
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
