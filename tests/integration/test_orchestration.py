"""The examples for orchestrators run, each with its own package, in environments of their own.

Airflow's is not among them: its package takes too long. It was run by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import Dataset
from tests.support.documented import RECORDINGS
from tests.support.environments import new_environment
from tests.support.processes import ROOT
from tests.support.tiny_musicnet import write_tiny_musicnet

EXAMPLES = ROOT / "examples/orchestration"
PACKAGES = {"dvc": "dvc==3.67.1", "snakemake": "snakemake==9.27.1", "dagster": "dagster==1.13.29"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each orchestrator's programs; DVC and Dagster cannot be installed together."""
    root = tmp_path_factory.mktemp("orchestrators")
    folders: dict[str, Path] = {}
    for names in (("dvc", "snakemake"), ("dagster",)):
        python = new_environment(root / names[0], *(PACKAGES[name] for name in names))
        folders |= dict.fromkeys(names, python.parent)
    return folders


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings, the examples with fewer steps, and the console script on the path."""
    write_tiny_musicnet(tmp_path / "recordings", RECORDINGS)
    for path in EXAMPLES.iterdir():
        text = path.read_text().replace("--steps 500", "--steps 2").replace("= 500", "= 2")
        (tmp_path / path.name).write_text(text)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/duet"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} {sys.executable} -m musicnet_duet "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def run(folder: Path, programs: Path, *command: str) -> str:
    path = os.pathsep.join([str(folder / "bin"), str(programs), os.environ["PATH"]])
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_dvc_runs_what_has_changed(folder: Path, programs: dict[str, Path]) -> None:
    run(folder, programs["dvc"], "git", "init", "--quiet")
    run(folder, programs["dvc"], "dvc", "init", "--quiet")
    run(folder, programs["dvc"], "dvc", "repro")
    assert json.loads((folder / "evaluation.json").read_text())["step"] == 2
    assert Dataset(folder / "dataset").manifest.splits["train"].windows > 0
    assert "are up to date" in run(folder, programs["dvc"], "dvc", "repro")


def test_snakemake_makes_what_is_missing(folder: Path, programs: dict[str, Path]) -> None:
    run(folder, programs["snakemake"], "snakemake", "--cores", "2")
    assert json.loads((folder / "evaluation.json").read_text())["step"] == 2
    assert "Nothing to be done" in run(folder, programs["snakemake"], "snakemake", "--cores", "2")


def test_dagster_knows_the_fingerprint(folder: Path, programs: dict[str, Path]) -> None:
    (folder / "dagster.yaml").touch()
    log = run(
        folder, programs["dagster"], "dagster", "asset", "materialize", "--select", "*", "-f",
        "dagster_assets.py",
    )  # fmt: skip
    assert "RUN_SUCCESS" in log
    assert Dataset(folder / "dataset").manifest.splits["test"].windows > 0
    assert len(list((folder / "runs").iterdir())) == 1
