"""The two halves do not know each other, and the contract between them knows neither."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_lines import HEAVY

ROOT = Path(__file__).parent.parent


def test_the_import_rules_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "7 kept, 0 broken" in run.stdout


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("schemas", ("apache_beam", "tensorflow", "librosa")),
        ("pipelines.cli", (*HEAVY, "training")),
        ("pipelines.writing.shard_writer", ("apache_beam", "tensorflow", "librosa")),
        ("pipelines.preprocessing", ("tensorflow", "librosa")),
        ("training", ("apache_beam", "tensorflow", "pipelines")),
        ("training.cli", (*HEAVY, "pipelines")),
        ("musicnet_duet.cli", HEAVY),
        ("musicnet_duet.command", (*HEAVY, "pipelines", "training")),
    ],
)
def test_importing_a_module_leaves_the_heavy_ones_out(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
