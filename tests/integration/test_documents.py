"""The commands and snippets of each document run in order, as a reader would run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documented import make_documented
from tests.support.documents import DOCUMENTS, ROOT, START, blocks, commands


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_documented(tmp_path_factory.mktemp("documented"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_runs_from_top_to_bottom(
    document: str, documented: Path, tmp_path: Path
) -> None:
    for name in START.get(document, ("musicnet", "dataset", "run")):
        copy = shutil.copytree if (documented / name).is_dir() else shutil.copy
        copy(documented / name, tmp_path / name)
    for line, words in steps(document):
        run = subprocess.run(
            words,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, f"{document}:{line}: {' '.join(words)}\n{run.stderr}"


def steps(document: str) -> list[tuple[int, list[str]]]:
    """What is run of a document: line numbers and the words of commands."""
    found: list[tuple[int, list[str]]] = []
    for block in blocks(document):
        if block.language == "python" and not block.foreign_package:
            found.append((block.line, [sys.executable, "-c", block.text]))
        elif block.language == "sh" and not block.is_shown:
            found += [
                (each.line, _executable(each.words)) for each in commands(block) if each.is_run
            ]
    return found


def _executable(words: list[str]) -> list[str]:
    if words[0] == "duet":
        return [sys.executable, "-m", "musicnet_duet", *words[1:]]
    return [sys.executable, *words[1:]]


def test_what_matters_most_is_run() -> None:
    run = [" ".join(words[2:4]) for _, words in steps("README.md")]
    for command in ("preprocess", "verify", "inspect", "train", "evaluate", "generate", "rejects"):
        assert f"musicnet_duet {command}" in run
    assert sum("import " in words[-1] for _, words in steps("README.md")) >= 5
