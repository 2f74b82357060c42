"""Beam's runner for one machine, with its workers in processes of their own.

Beam can start processes too, but each of them begins with importing Beam, after the run has
started, and a run whose workers are killed fails without saying so.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    GrpcWorkerHandler,
    WorkerHandler,
)
from apache_beam.transforms.environments import Environment, python_sdk_capabilities

from pipelines.errors import PipelineError
from pipelines.worker_processes import WorkerProcess

_URN = "musicnet_duet:environment:worker_process:v1"
_SECONDS_TO_CLOSE = 1.0


@contextlib.contextmanager
def local_runner(workers: int) -> Iterator[FnApiRunner]:
    """A runner with so many workers: threads of this process for one, else processes.

    Raises `PipelineError` where what is done in the block fails because a worker died.
    """
    if workers == 1:
        yield FnApiRunner()
        return
    processes: list[WorkerProcess] = []
    handler = functools.partial(_ProcessHandler, processes)
    WorkerHandler.register_environment(_URN, bytes)(handler)
    try:
        yield FnApiRunner(_ProcessEnvironment(python_sdk_capabilities(), artifacts=()))
    except Exception as error:
        for why in filter(None, (process.why_ended() for process in processes)):
            raise PipelineError(
                f"a worker process {why}; if the machine is short of memory, use fewer --workers"
            ) from error
        raise


class _ProcessEnvironment(Environment):
    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        return _URN, b""


class _ProcessHandler(GrpcWorkerHandler):
    """What the runner knows of one worker."""

    def __init__(
        self,
        processes: list[WorkerProcess],
        payload: bytes,
        state: Any,
        provision_info: Any,
        grpc_server: Any,
    ) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._process = WorkerProcess()
        processes.append(self._process)

    def start_worker(self) -> None:
        self._process.begin(self.control_address, self.worker_id)

    def stop_worker(self) -> None:
        self._process.stop()

    def close(self) -> None:
        # Where a run failed, closing the connections would wait for what the worker is doing.
        late = threading.Timer(_SECONDS_TO_CLOSE, self.stop_worker)
        late.start()
        try:
            super().close()
        finally:
            late.cancel()
            self.stop_worker()
