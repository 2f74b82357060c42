import os
import signal
import threading

import apache_beam as beam
import pytest

from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.runner import checked_options, readable_failure, run_pipeline
from pipelines.engine.versions import numeric_versions, require_versions
from pipelines.engine.worker_processes import WorkerProcess
from pipelines.errors import PipelineError

# Beam's threads end with errors of gRPC when their worker has gone.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def fails_with(build: beam.PTransform) -> str:
    """The message of a run of two workers, which must end within a minute."""
    told = []

    def run() -> None:
        with pytest.raises(PipelineError) as caught:
            run_pipeline(
                lambda pipeline: pipeline | build, runner=LOCAL_RUNNER, workers=2, beam_arguments=()
            )
        told.append(str(caught.value))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    (message,) = told
    return message


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("last", [False, True])
def test_a_worker_that_dies_in_any_step_ends_the_run(last: bool) -> None:
    """The runner itself would wait for ever for a step without output."""
    step: beam.PTransform = beam.Create([1]) | beam.Map(die)
    if not last:
        step = step | beam.Reshuffle() | beam.Map(print)
    assert "a worker process was killed (SIGKILL)" in fails_with(step)


def test_a_worker_that_dies_before_it_works_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerProcess, "begin", lambda self, *_: self._process.kill())
    assert "a worker process was killed (SIGKILL)" in fails_with(beam.Create([1]) | beam.Map(str))


def test_an_error_in_a_worker_is_told() -> None:
    failing = beam.Create([0]) | beam.Map(lambda number: 1 // number)
    assert fails_with(failing) == "ZeroDivisionError: integer division or modulo by zero"


def test_beams_options_are_passed_on() -> None:
    options = checked_options(["--direct_num_workers=3", "--job_name=x"])
    assert options.get_all_options()["direct_num_workers"] == 3


@pytest.mark.parametrize("argument", ["--direct_num_worker=3", "--nonsense", "stray"])
def test_options_that_beam_lacks_are_errors(argument: str) -> None:
    with pytest.raises(PipelineError, match=f"unknown option '{argument}'"):
        checked_options([argument])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain [while running 'Plan']", "plain"),
        (
            "Traceback (most recent call last):\n  File x\n"
            "pipelines.errors.PipelineError: 4 of 5 recordings:\n  a: b\nmend them\n\n"
            "During handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n"
            "pipelines.errors.PipelineError: 4 of 5 recordings:\n  a: b\nmend them"
            " [while running 'Plan-ptransform-31']",
            "4 of 5 recordings:\n  a: b\nmend them",
        ),
        (
            "[org.apache.X: Could not submit\n\tat a.b(C.java:1)\n"
            "Caused by: java.io.IOException: Could not connect to localhost/127.0.0.1:43547\n"
            "\tat d.e(F.java:2)\n\t... 11 more\n]",
            "Could not connect to localhost/127.0.0.1:43547",
        ),
        (
            "Traceback:\n  x\nZeroDivisionError: division by zero",
            "ZeroDivisionError: division by zero",
        ),
    ],
)
def test_the_message_is_found_in_a_workers_traceback(text: str, told: str) -> None:
    assert readable_failure(RuntimeError(text)) == told


def test_errors_of_every_kind_are_told_without_their_names() -> None:
    for kind in ("schemas.errors.UnreadableFileError", "pipelines.errors.RefusedInputError"):
        text = f"Traceback (most recent call last):\n  ...\n{kind}: a/b.wav: no such file\n"
        assert readable_failure(RuntimeError(text)) == "a/b.wav: no such file"


def test_a_worker_with_other_versions_is_refused() -> None:
    versions = numeric_versions()
    require_versions(versions)
    with pytest.raises(PipelineError, match=rf"a worker has numpy {versions['numpy']}, .* 1\.0: "):
        require_versions({**versions, "numpy": "1.0"})
