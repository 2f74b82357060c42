"""The notebook holds no outputs, and commands that exist; an integration test runs it."""

from __future__ import annotations

import json
import re
import shlex

from musicnet_duet.cli import PROGRAM
from tests.support.documents import ROOT

CELLS = json.loads((ROOT / "examples/tour.ipynb").read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_outputs_are_cleared() -> None:
    assert CODE
    for cell in CODE:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_commands_have_options_that_exist() -> None:
    text = "\n".join("".join(cell["source"]) for cell in CODE).replace("\\\n", " ")
    lines = re.findall(r"^duet (.*)$", text, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        command, options = PROGRAM.read(shlex.split(line))
        command.check(options)
