"""What the Makefile installs, and what it does after an installation that did not finish.

A stand-in for Python makes a `.venv` whose pip writes down how it was called.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.support.processes import ROOT

DEMO, DEVELOPMENT = ".venv/installed-demo", ".venv/installed-development"
TRAINING = ("training", "training-cpu")

STAND_IN = """\
#!/bin/sh
case "$*" in
  *'-m venv'*)
    rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo venv >>calls ;;
  *'-m pip install'*)
    [ ! -e fails ] || exit 1
    [ -z "$PYTHONDONTWRITEBYTECODE" ] || echo "never compiled" >>calls
    echo "$*" | sed 's/.*\\[\\(.*\\)\\].*/\\1/' >>calls ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # a `make test` hands its own to its tests
        monkeypatch.delenv(name, raising=False)
    for name in ("Makefile", "setup.py", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "python").write_text(STAND_IN)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(folder: Path, target: str) -> list[list[str]]:
    """The extras of each installation that `make` starts; a new `.venv` is `["venv"]`."""
    calls = folder / "calls"
    calls.write_text("")
    subprocess.run(["make", f"PYTHON={folder / 'python'}", target], cwd=folder, capture_output=True)
    return [line.split(",") for line in calls.read_text().splitlines()]


def test_the_demo_needs_nothing_of_development(folder: Path) -> None:
    made, extras = make(folder, DEMO)
    assert made == ["venv"]
    assert set(extras) in ({"pipelines", training, "demo"} for training in TRAINING)
    assert make(folder, DEMO) == []


def test_development_extends_the_demos_environment(folder: Path) -> None:
    _, demo = make(folder, DEMO)
    (extras,) = make(folder, DEVELOPMENT)
    assert set(extras) == {*demo, "gcp", "s3", "dev"}
    assert make(folder, DEMO) == make(folder, DEVELOPMENT) == []


def test_development_begins_from_nothing_too(folder: Path) -> None:
    made, demo, extras = make(folder, DEVELOPMENT)
    assert made == ["venv"]
    assert set(demo) < set(extras)


@pytest.mark.parametrize("target", [DEMO, DEVELOPMENT])
def test_an_installation_that_failed_begins_anew(folder: Path, target: str) -> None:
    if target == DEVELOPMENT:
        make(folder, DEMO)
    (folder / "fails").touch()
    make(folder, target)
    (folder / "fails").unlink()
    (folder / ".venv/half-made").touch()
    assert make(folder, target)[0] == ["venv"]
    assert not (folder / ".venv/half-made").exists()
    assert make(folder, target) == []


@pytest.mark.parametrize("name", ["setup.py", "constraints.txt"])
def test_changed_requirements_are_installed(folder: Path, name: str) -> None:
    make(folder, DEVELOPMENT)
    later = (folder / DEVELOPMENT).stat().st_mtime + 10
    os.utime(folder / name, (later, later))
    assert make(folder, DEVELOPMENT)[0] == ["venv"]


def test_what_is_not_compiled_at_installation_is_kept_when_it_is_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every process would compile TensorFlow again, which takes longer than to run it."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert ["never compiled"] not in make(folder, DEMO)


def test_what_will_be_installed_is_said_first(folder: Path) -> None:
    command = ["make", f"PYTHON={folder / 'python'}", DEMO]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    first, *_, last = run.stdout.splitlines()
    assert re.search(r"\.venv.* GB to download, .* GB on disk, .* minutes", first)
    assert last.startswith("Installed")


def test_the_makefile_takes_the_pythons_that_the_package_takes() -> None:
    (required,) = re.findall(r'python_requires="(.+)"', (ROOT / "setup.py").read_text())
    (condition,) = re.findall(
        r"not (\(.+?\) <= sys\.version_info < \(.+?\))", (ROOT / "Makefile").read_text()
    )
    for minor in range(9, 17):
        taken = eval(condition.replace("sys.version_info", repr((3, minor, 1))))
        assert taken == SpecifierSet(required).contains(f"3.{minor}.1")
