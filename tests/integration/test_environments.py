"""Each half works where the other half's engine was never installed."""

import re
import subprocess
from pathlib import Path

import pytest

from musicnet_duet import __version__
from tests.support.environments import can_import, environment
from tests.support.tiny_musicnet import write_tiny_musicnet

FEATURES = '{"window_frames": 40, "stride_frames": 40}'


def run(python: Path, cwd: Path, *arguments: object) -> None:
    subprocess.run([str(python), "-m", *map(str, arguments)], cwd=cwd, check=True)


def duet(
    python: Path, cwd: Path, *arguments: object, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """The console script of an environment."""
    command = [str(python.with_name("duet")), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, check=check, capture_output=True, text=True)


def check_installed(python: Path, cwd: Path, other: list[tuple[str, ...]], extra: str) -> None:
    """What `duet` says in any environment, and of the commands of the half that is not there."""
    assert "preprocess" in (text := duet(python, cwd, "--help").stdout)
    assert "generate" in text
    assert duet(python, cwd, "--version").stdout == f"duet {__version__}\n"
    assert "preprocess" in duet(python, cwd, "--print-completion", "bash").stdout
    for command in other:
        said = duet(python, cwd, *command, check=False)
        assert (said.returncode, said.stdout) == (1, "")
        assert re.fullmatch(
            rf"error: {command[0]} needs \w+, which is not installed; in the project's folder, "
            rf"run: pip install '\.\[{extra}\]'\n",
            said.stderr,
        )
    for package in ("musicnet_duet", "pipelines", "schemas", "training"):
        code = f"import {package}, pathlib; print(pathlib.Path({package}.__file__).parent)"
        found = subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True)
        assert (Path(found.stdout.strip()) / "py.typed").exists()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environments")
    write_tiny_musicnet(folder / "musicnet")
    (folder / "features.json").write_text(FEATURES)
    return folder


def test_pipelines_without_tensorflow_then_training_without_beam(work: Path) -> None:
    with environment(work / "pipelines", extra="pipelines") as python:
        assert can_import(python, "apache_beam")
        assert not can_import(python, "tensorflow")
        run(python, work, "pipelines", "preprocess", "--input", "musicnet", "--output", "dataset",
            "--format", "both", "--config", "features.json")  # fmt: skip
        run(python, work, "pipelines", "verify", "dataset")
        duet(python, work, "inspect", "dataset", "--plot", "windows.png")
        again = duet(python, work, "preprocess", "--input", "musicnet", "--output", "again",
                     "--workers", 2, "--config", "features.json")  # fmt: skip
        assert "MB as tfrecord in " in again.stdout
        check_installed(
            python, work, [("train", "--data", "dataset", "--run", "run"),
                           ("generate", "--run", "run", "--output", "x.wav")], "training"
        )  # fmt: skip

    with environment(work / "training", extra="training") as python:
        assert can_import(python, "tensorflow")
        assert not can_import(python, "apache_beam")
        run(python, work, "training", "train", "--data", "dataset", "--run", "run",
            "--model", "gru", "--units", 8, "--batch-size", 2, "--steps", 3)  # fmt: skip
        run(python, work, "training", "evaluate", "--run", "run", "--data", "dataset")
        duet(python, work, "generate", "--run", "run", "--seconds", 1, "--output", "x.wav")
        assert (work / "x.wav").stat().st_size > 10_000
        check_installed(
            python, work, [("preprocess", "--input", "musicnet", "--output", "other")], "pipelines"
        )
