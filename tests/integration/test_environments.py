"""Each half works where the other half's engine was never installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_musicnet import write_tiny_musicnet

ROOT = Path(__file__).parents[2]

FEATURES = '{"window_frames": 40, "stride_frames": 40}'


def environment(folder: Path, extra: str) -> Path:
    """A new environment with one extra of the project; returns its python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    requirement = f"musicnet-duet[{extra}] @ {ROOT.as_uri()}"
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint",
               str(ROOT / "constraints.txt"), requirement]  # fmt: skip
    subprocess.run(install, check=True)
    return python


def can_import(python: Path, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def run(python: Path, cwd: Path, *arguments: object) -> None:
    subprocess.run([str(python), "-m", *map(str, arguments)], cwd=cwd, check=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environments")
    write_tiny_musicnet(folder / "musicnet")
    (folder / "features.json").write_text(FEATURES)
    return folder


def test_pipelines_without_tensorflow_then_training_without_beam(work: Path) -> None:
    python = environment(work / "pipelines", "pipelines")
    assert can_import(python, "apache_beam")
    assert not can_import(python, "tensorflow")
    run(python, work, "pipelines", "preprocess", "--input", "musicnet", "--output", "dataset",
        "--format", "both", "--config", "features.json")  # fmt: skip
    run(python, work, "pipelines", "verify", "dataset")
    run(python, work, "pipelines", "inspect", "dataset", "--plot", "windows.png")

    python = environment(work / "training", "training")
    assert can_import(python, "tensorflow")
    assert not can_import(python, "apache_beam")
    run(python, work, "training", "train", "--data", "dataset", "--run-dir", "run",
        "--model", "gru", "--units", 8, "--batch-size", 2, "--steps", 3)  # fmt: skip
    run(python, work, "training", "evaluate", "--run", "run", "--data", "dataset")
    run(python, work, "training", "generate", "--run", "run", "--seconds", 1, "--output", "x.wav")
    assert (work / "x.wav").stat().st_size > 10_000
