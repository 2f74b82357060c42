"""Python environments that hold the project and only some of the packages around it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def new_environment(folder: Path, *arguments: str) -> Path:
    """A new environment, into which pip has installed what its arguments name: its python."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
    run = subprocess.run(install, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return python


@contextlib.contextmanager
def environment(
    folder: Path, *packages: str, extra: str = "", constraints: Path = ROOT / "constraints.txt"
) -> Iterator[Path]:
    """A new environment with the project, one of its extras, and other packages: its python.

    It takes gigabytes, so it is deleted at the end.
    """
    try:
        project = f"musicnet-duet[{extra}] @ {ROOT.as_uri()}"
        python = new_environment(folder, "--constraint", str(constraints), project, *packages)
        yield python
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def can_import(python: Path, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0
