"""The commands and snippets of each document run in order, as a reader would run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from musicnet_duet.cli import PROGRAM
from pipelines.cli import PROGRAM as PIPELINES
from tests.support.documented import make_documented
from tests.support.documents import DOCUMENTS, ROOT, START, blocks, commands
from training.cli import PROGRAM as TRAINING

MAINS = {"duet": PROGRAM.main, "pipelines": PIPELINES.main, "training": TRAINING.main}
"""What runs commands, by their first word, or by the module that they name.
"""


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_documented(tmp_path_factory.mktemp("documented"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_runs_from_top_to_bottom(
    document: str,
    documented: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in START.get(document, ("musicnet", "dataset", "run")):
        copy = shutil.copytree if (documented / name).is_dir() else shutil.copy
        copy(documented / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for line, step in steps(document):
        problem = _problem(step, capsys)
        assert problem is None, f"{document}:{line}: {step}\n{problem}"


def steps(document: str) -> list[tuple[int, list[str] | str]]:
    """What is run of a document: line numbers, with the words of commands or a text in Python."""
    found: list[tuple[int, list[str] | str]] = []
    for block in blocks(document):
        if block.language == "python" and not block.foreign_package:
            found.append((block.line, block.text))
        elif block.language == "sh" and not block.is_shown:
            found += [(each.line, each.words) for each in commands(block) if each.is_run]
    return found


def _problem(step: list[str] | str, capsys: pytest.CaptureFixture[str]) -> str | None:
    """What a step says where it fails; commands run in this process, which has imported all."""
    if isinstance(step, list):
        status = MAINS[step[0]](step[1:]) if step[0] in MAINS else MAINS[step[2]](step[3:])
        return f"{status}: {capsys.readouterr().err}" if status else None
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", step]
    run = subprocess.run(line, env=environment, capture_output=True, text=True)
    return run.stderr if run.returncode else None


def test_what_matters_most_is_run() -> None:
    run = [step[:2] for _, step in steps("README.md")]
    for command in ("preprocess", "verify", "inspect", "train", "evaluate", "generate", "rejects"):
        assert ["duet", command] in run
    assert sum("import " in step for _, step in steps("README.md")) >= 5
