import apache_beam as beam
import pytest

from pipelines.engine import LOCAL_RUNNER
from pipelines.engine.runner import checked_options, readable_failure, run_pipeline
from pipelines.engine.versions import numeric_versions, require_versions
from pipelines.errors import PipelineError


def divide(number: int) -> float:
    return 1 / number


def test_what_an_engine_fails_at_is_told_by_its_last_line() -> None:
    with pytest.raises(PipelineError) as caught:
        run_pipeline(
            lambda pipeline: pipeline | beam.Create([0]) | beam.Map(divide),
            runner=LOCAL_RUNNER,
            beam_arguments=(),
        )
    assert str(caught.value) == "division by zero"


def test_a_runner_that_beam_lacks_is_told() -> None:
    with pytest.raises(PipelineError, match="runner='NoRunner': Unexpected pipeline runner"):
        run_pipeline(lambda pipeline: None, runner="NoRunner", beam_arguments=())


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
    for kind in ("schemas.errors.UnreadableFileError", "pipelines.errors.RejectedInputError"):
        text = f"Traceback (most recent call last):\n  ...\n{kind}: a/b.wav: no such file\n"
        assert readable_failure(RuntimeError(text)) == "a/b.wav: no such file"


def test_a_worker_with_other_versions_is_refused() -> None:
    versions = numeric_versions()
    require_versions(versions)
    with pytest.raises(PipelineError, match=rf"a worker has numpy {versions['numpy']}, .* 1\.0: "):
        require_versions({**versions, "numpy": "1.0"})
