"""Command lines of a half, each read in one process, with what was imported for it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("apache_beam", "h5py", "keras", "librosa", "matplotlib", "numpy", "pyarrow", "scipy",
         "tensorflow", "tqdm")  # fmt: skip

_CODE = f"""
import contextlib, io, json, sys
from {{module}} import main
said = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        status = main(arguments)
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    said.append((status, errors.getvalue(), heavy))
print(json.dumps(said))
"""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a wrong command line was answered with, and the heavy modules imported by then."""

    status: int
    message: str
    heavy: list[str]


def answers(module: str, command_lines: Sequence[Sequence[str]]) -> list[Answer]:
    """The answer of `module.main` to each command line."""
    command = [sys.executable, "-c", _CODE.format(module=module), json.dumps(command_lines)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [Answer(*each) for each in json.loads(run.stdout)]
