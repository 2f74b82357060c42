"""Python environments that hold the project and only some of the packages around it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def environment(
    folder: Path, *packages: str, extra: str = "", constraints: Path = ROOT / "constraints.txt"
) -> Iterator[Path]:
    """A new environment with the project, one of its extras, and other packages: its python.

    It takes gigabytes, so it is deleted at the end.
    """
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        python = folder / "bin" / "python"
        project = f"musicnet-duet[{extra}] @ {ROOT.as_uri()}"
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--constraint",
                   str(constraints), project, *packages]  # fmt: skip
        run = subprocess.run(install, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        yield python
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def can_import(python: Path, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0
