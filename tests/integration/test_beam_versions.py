"""The oldest supported version of Beam, in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environments import ROOT, environment
from tests.support.tiny_musicnet import write_tiny_musicnet

CONSTRAINTS = ROOT / "constraints-oldest-beam.txt"
TESTS = ("tests/pipelines/engine", "tests/integration/test_workers.py")
"""All that depends on what Beam is: the engine, and what becomes of a run's processes."""

NEWEST_PYTHON = (3, 12)
"""Of those that this version of Beam has wheels for."""


def oldest_beam() -> str:
    found = re.search(r"^apache-beam==(.+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if sys.version_info[:2] > NEWEST_PYTHON:
        pytest.skip(f"Beam {oldest_beam()} has no wheels for this version of Python")
    folder = tmp_path_factory.mktemp("oldest") / "environment"
    packages = ("hypothesis", "librosa", "psutil", "pytest")
    with environment(folder, *packages, extra="pipelines", constraints=CONSTRAINTS) as python:
        yield python


def test_the_range_of_versions_begins_with_it() -> None:
    setup = (ROOT / "setup.py").read_text()
    assert (
        re.findall(r'"apache-beam(?:\[gcp\])?>=([^,]+),', setup)
        == [oldest_beam().removesuffix(".0")] * 2
    )


def test_the_engine_works_with_it(python: Path) -> None:
    version = subprocess.run(
        [python, "-c", "import apache_beam; print(apache_beam.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.strip() == oldest_beam()
    options = ["--import-mode=importlib", "--override-ini", "addopts=", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [python, "-m", "pytest", "-q", *options, *TESTS], cwd=ROOT, capture_output=True, text=True
    )
    print(run.stdout[-2_000:])
    assert run.returncode == 0
    assert "skipped" not in run.stdout


def test_a_dataset_that_it_makes_is_sound(python: Path, tmp_path: Path) -> None:
    root = write_tiny_musicnet(tmp_path / "in")
    config = tmp_path / "features.json"
    config.write_text(json.dumps({"window_frames": 40, "stride_frames": 40}))
    made = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        options = ["--format", "both", "--config", str(config), "--workers", workers, "--json"]
        command = ["preprocess", "--input", str(root), "--output", str(out), *options]
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        for arguments in (command, ["verify", str(out)]):
            run = subprocess.run(
                [python, "-m", "pipelines", *arguments],
                cwd=tmp_path,
                env=variables,
                capture_output=True,
                text=True,
            )
            assert run.returncode == 0, run.stderr
        names = sorted(path for path in out.rglob("*") if path.is_file())
        made.append({path.relative_to(out): path.read_bytes() for path in names})
    assert made[0] == made[1]
