"""The notebook runs from top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.tools import notebook_packages


def test_the_notebook_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python_path = os.pathsep.join(map(str, (ROOT, notebook_packages())))
    script = ROOT / "tests/support/run_notebook.py"
    run = subprocess.run(
        [sys.executable, str(script), str(ROOT / "examples/tour.ipynb")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    cells = [each for each in json.loads(run.stdout) if each["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert shown.count("image/png") == 2
    assert sum("<audio" in str(output.get("data")) for output in outputs) == 2
    printed = "".join(output.get("text", "") for output in outputs)
    assert "notebook/dataset: sound; " in printed
    assert (tmp_path / "notebook/dataset.html").exists()
