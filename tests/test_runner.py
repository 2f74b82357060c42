import pytest

from pipelines.errors import PipelineError
from pipelines.runner import checked_options, readable_failure


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
