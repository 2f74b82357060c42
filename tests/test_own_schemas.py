"""PyPI has a package `schemas` of its own: whoever has it too gets a sentence, not a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOREIGN = {
    "empty": "",
    "of other names": "class Schema: ...",
    "broken": "from functions import first",
}


def run(foreign: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(foreign), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=foreign,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(params=sorted(FOREIGN))
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder that holds another package `schemas`."""
    package = tmp_path / "schemas"
    package.mkdir()
    (package / "__init__.py").write_text(FOREIGN[request.param])
    return tmp_path


@pytest.mark.parametrize("half", ["pipelines", "training"])
def test_a_command_names_a_foreign_package_in_one_line(foreign: Path, half: str) -> None:
    ended = run(foreign, "-m", half, "--help")
    (line,) = ended.stderr.splitlines()
    where = foreign / "schemas" / "__init__.py"
    assert line.startswith(f"error: the package 'schemas' at {where} is not musicnet-duet's; ")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_the_console_script_names_a_foreign_package_in_one_line(foreign: Path) -> None:
    script = foreign / "duet"
    script.write_text("from musicnet_duet.cli import run\nrun()\n")
    ended = run(foreign, str(script), "--help")
    (line,) = ended.stderr.splitlines()
    assert "is not musicnet-duet's; " in line
    assert (ended.returncode, ended.stdout) == (1, "")


@pytest.mark.parametrize("half", ["pipelines", "training"])
def test_an_import_names_a_foreign_package(foreign: Path, half: str) -> None:
    ended = run(foreign, "-c", f"import {half}")
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("ImportError: the package 'schemas' at ")
    assert "is not musicnet-duet's" in last


@pytest.mark.parametrize("half", ["pipelines", "training"])
def test_our_package_is_known_wherever_it_lies(half: str, tmp_path: Path) -> None:
    ended = run(tmp_path, "-c", f"import {half}")
    assert (ended.returncode, ended.stderr) == (0, "")
