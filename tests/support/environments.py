"""Python environments that hold the project and only some of the packages around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_environment(folder: Path, *packages: str, extra: str = "") -> Path:
    """A new environment with the project, one of its extras, and other packages.

    Returns its python.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    project = f"musicnet-duet[{extra}] @ {ROOT.as_uri()}"
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint",
               str(ROOT / "constraints.txt"), project, *packages]  # fmt: skip
    subprocess.run(install, check=True)
    return python


def can_import(python: Path, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0
