"""Beam's runner for one machine, with its workers in processes of their own.

Beam can start processes too, but each of them begins with importing Beam, after the run has
started, and a run whose workers are killed fails without saying so.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    GrpcWorkerHandler,
    WorkerHandler,
)
from apache_beam.transforms.environments import Environment, python_sdk_capabilities

from pipelines.engine.worker_processes import WorkerProcess
from pipelines.errors import PipelineError

_URN = "musicnet_duet:environment:worker_process:v1"
_SECONDS_TO_CLOSE = 1.0
_SECONDS_BETWEEN_ANSWERS = 0.1

_processes_of: dict[bytes, list[WorkerProcess]] = {}
"""The workers of each run in this process, by what stands for the run in its graph."""


@contextlib.contextmanager
def local_runner(workers: int) -> Iterator[FnApiRunner]:
    """A runner with so many workers: threads of this process for one, else processes.

    Raises `PipelineError` where what is done in the block fails because a worker died.
    """
    if workers == 1:
        yield FnApiRunner()
        return
    run = secrets.token_bytes(8)
    processes = _processes_of[run] = []
    try:
        yield FnApiRunner(_ProcessEnvironment(run))
    except Exception as error:
        _stop(processes)
        for why in filter(None, (process.why_ended() for process in processes)):
            raise PipelineError(
                f"a worker process {why}; if the machine is short of memory, use fewer --workers"
            ) from error
        raise
    finally:
        _stop(processes)
        del _processes_of[run]


def _stop(processes: list[WorkerProcess]) -> None:
    for process in processes:
        process.stop()


class _ProcessEnvironment(Environment):
    def __init__(self, run: bytes) -> None:
        super().__init__(python_sdk_capabilities(), artifacts=())
        self._run = run

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        return _URN, self._run


@WorkerHandler.register_environment(_URN, bytes)
class _ProcessHandler(GrpcWorkerHandler):
    """What the runner knows of one worker."""

    def __init__(self, run: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._process = WorkerProcess()
        _processes_of[run].append(self._process)

    def start_worker(self) -> None:
        threading.Thread(target=self._answer_for_the_dead, daemon=True).start()
        self._process.begin(self.control_address, self.worker_id)

    def _answer_for_the_dead(self) -> None:
        """When the worker dies, fails what it was asked, for which the runner waits for ever."""
        self._process.wait()
        asked = self.control_conn._futures_by_id
        while not self._process.stopped_within(_SECONDS_BETWEEN_ANSWERS):
            for number in list(asked):
                if future := asked.pop(number, None):
                    response = beam_fn_api_pb2.InstructionResponse(
                        instruction_id=number, error="its worker process has ended"
                    )
                    future.set(response)

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
