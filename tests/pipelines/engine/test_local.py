"""The worker processes of a run, inside a Beam pipeline and by themselves."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import psutil
import pytest

from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.local import WorkerDiedError, WorkerPool, find_run, local_run
from pipelines.engine.runner import run_pipeline
from pipelines.engine.transforms import Spread
from pipelines.errors import PipelineError, RejectedInputError
from tests.support.processes import ROOT


def squared(number: int, *, plus: int = 0) -> int:
    return number * number + plus


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(status: int) -> None:
    os._exit(status)


def divide(number: int) -> float:
    return 1 / number


def reject(path: str) -> None:
    raise RejectedInputError.of(path, "truncated", "was cut short")


class StubbornError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("cannot be sent")


def fail_stubbornly(_: object) -> None:
    raise StubbornError("in a worker")


class DemandingError(Exception):
    """It can be pickled, and not be made again from what it was pickled as."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def fail_demandingly(_: object) -> None:
    raise DemandingError("in a", "worker")


def chatter(number: int) -> int:
    print("a library prints")
    os.write(1, b"and so does C\n")
    return number


def process_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def write_down(number: int, folder: str) -> None:
    Path(folder, str(number)).touch()


def children() -> set[psutil.Process]:
    """The child processes of this one. Earlier tests may have left some: `multiprocessing` keeps
    a resource tracker and a fork server.
    """
    return set(psutil.Process().children())


def run_in_beam(build: Callable[[str], beam.PTransform]) -> None:
    """Runs a transform with two workers; the run must end within a minute."""
    failed: list[Exception] = []

    def act() -> None:
        try:
            with local_run(2) as run:
                run_pipeline(
                    lambda pipeline: pipeline | build(run.name),
                    runner=LOCAL_RUNNER,
                    beam_arguments=(),
                    local=run,
                )
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("known", [False, True])
def test_a_step_is_computed_by_workers_and_by_this_process_alike(
    known: bool, tmp_path: Path
) -> None:
    def build(name: str) -> beam.PTransform:
        spread = beam.ParDo(Spread(squared, name if known else "a run elsewhere"), plus=1)
        return beam.Create(range(20)) | spread | beam.Map(write_down, str(tmp_path))

    run_in_beam(build)
    assert {path.name for path in tmp_path.iterdir()} == {
        str(squared(number, plus=1)) for number in range(20)
    }


@pytest.mark.parametrize("last", [False, True])
def test_a_worker_that_dies_in_any_step_ends_the_run(last: bool) -> None:
    def build(name: str) -> beam.PTransform:
        step: beam.PTransform = beam.Create([1]) | beam.ParDo(Spread(die, name))
        return step if last else step | beam.Reshuffle() | beam.Map(print)

    with pytest.raises(WorkerDiedError, match=r"a worker process was killed \(SIGKILL\)"):
        run_in_beam(build)


def test_a_worker_that_dies_before_it_works_ends_the_run() -> None:
    before = children()
    with local_run(2) as run:
        assert run.pool
        for worker in children() - before:
            worker.kill()
        with pytest.raises(WorkerDiedError, match="was killed"):
            run.pool.submit(squared, 2).result(60)


def test_an_error_in_a_worker_is_the_run_s_error() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_in_beam(lambda name: beam.Create([0]) | beam.ParDo(Spread(divide, name)))
    assert any("in divide" in note for note in caught.value.__notes__)
    with pytest.raises(RejectedInputError) as refused:
        run_in_beam(lambda name: beam.Create(["a.wav"]) | beam.ParDo(Spread(reject, name)))
    assert (str(refused.value), refused.value.reason) == ("a.wav: was cut short", "truncated")


def test_errors_that_cannot_be_sent_are_told_as_text() -> None:
    with local_run(2) as run:
        assert run.pool
        for fail in (fail_stubbornly, fail_demandingly):
            with pytest.raises(RuntimeError, match="Error: in a worker"):
                run.pool.submit(fail, 0).result(60)
        assert run.pool.submit(squared, 3).result(60) == 9


def test_the_status_of_a_worker_that_ends_by_itself_is_told() -> None:
    with local_run(2) as run:
        assert run.pool
        with pytest.raises(WorkerDiedError, match="a worker process ended with status 7"):
            run.pool.submit(leave, 7).result(60)


def test_what_is_printed_in_a_worker_disturbs_nothing() -> None:
    with local_run(2) as run:
        assert run.pool
        assert [run.pool.submit(chatter, number).result(60) for number in (1, 2)] == [1, 2]


def test_no_worker_waits_while_elements_are_left() -> None:
    with local_run(2) as run:
        assert run.pool
        first, *rest = [run.pool.submit(process_after, each) for each in (1.0, 0, 0, 0, 0)]
        others = {future.result(60) for future in rest}
        assert not first.done()
        assert first.result(60) not in others


def test_workers_end_with_the_block_whatever_they_do() -> None:
    started, before = time.monotonic(), children()
    with contextlib.suppress(KeyboardInterrupt), local_run(3) as run:
        assert run.pool
        workers = children() - before
        pending = [run.pool.submit(process_after, 600.0) for _ in range(9)]
        raise KeyboardInterrupt
    assert len(workers) == 3
    assert time.monotonic() - started < 30
    assert not any(worker.is_running() for worker in workers)
    assert all(future.done() for future in pending)
    assert find_run(run.name) is None


def test_one_worker_is_this_process() -> None:
    with local_run(1) as run:
        assert run.pool is None
        assert find_run(run.name) is run


def test_a_system_that_starts_no_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_start(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse_to_start)
    with pytest.raises(PipelineError, match=r"cannot be started: .*temporarily unavailable"):
        WorkerPool(2)


@pytest.mark.parametrize("task", [b"", pickle.dumps((b"", "half of this"))[:-4], b"no pickle"])
def test_a_worker_ends_when_no_whole_task_comes(task: bytes) -> None:
    """As when its parent is killed while it sends one."""
    code = "from pipelines.engine.worker import serve; serve()"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=ROOT, input=task, capture_output=True, timeout=60)
    assert ended.returncode == 1
