from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.cli import main
from training.errors import TrainingError


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_help_is_quick() -> None:
    started = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "training", "--help"], capture_output=True, text=True
    )
    assert run.returncode == 0
    assert all(command in run.stdout for command in ("train", "generate", "evaluate", "compare"))
    assert time.monotonic() - started < 3


def test_an_error_is_one_line(small_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "evaluate", "--data", str(small_dataset)]
    run = subprocess.run([*command, "--run", str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"error: {tmp_path}/run.json: no such file")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{data}", "--memory-mb", "0"], "memory_bytes=0 must be a positive integer"),
        (["--data", "{data}", "--units", "0"], "units=0 must be a positive integer"),
        (["--data", "{tmp}"], "there is no whole dataset here"),
    ],
)
def test_wrong_training_options_are_errors(
    small_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    given = [text.format(data=small_dataset, tmp=tmp_path) for text in arguments]
    status, out, err = call(capsys, "train", "--run-dir", tmp_path / "run", *given)
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such file"):
        main(["evaluate", "--data", str(tmp_path), "--run", str(tmp_path), "--debug"])


def test_the_commands_work_together(
    small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, wav = tmp_path / "run", tmp_path / "x.wav"
    data = ("--data", small_dataset)
    start = ("train", *data, "--run-dir", run, "--model", "lstm", "--units", 6, 5)
    status, out, _ = call(capsys, *start, "--batch-size", 4, "--steps", 4, "--json")
    assert status == 0
    assert json.loads(out)["step"] == 4
    status, out, _ = call(capsys, "train", *data, "--run-dir", run, "--steps", 6, "--resume")
    assert status == 0
    assert "6 steps" in out
    status, out, _ = call(
        capsys, "generate", "--run", run, "--seconds", 1.5, "--output", wav, "--json"
    )
    assert status == 0
    assert json.loads(out)["model"]["units"] == [6, 5]
    for command in (("evaluate",), ("compare", "--audio", wav)):
        status, out, _ = call(capsys, *command, "--run", run, *data, "--json")
        assert status == 0
        assert json.loads(out)
        status, out, _ = call(capsys, *command, "--run", run, *data)
        assert status == 0
        assert len(out.splitlines()) > 3


def test_resuming_with_another_model_says_what_differs(
    small_dataset: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("train", "--data", small_dataset, "--run-dir", small_run, "--resume")
    status, _, err = call(capsys, *arguments, "--model", "rnn", "--units", 9)
    assert status == 1
    assert "model is gru there and rnn here; units is (8,) there and (9,) here" in err
