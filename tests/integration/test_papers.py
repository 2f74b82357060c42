"""Files that other tools read: validators of their formats accept them, and reject broken ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.support.processes import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"
CITATION = ROOT / "CITATION.cff"
PRE_COMMIT = ROOT / ".pre-commit-config.yaml"

VALIDATORS = {
    WORKFLOW: ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
    CITATION: ["check-jsonschema", "--builtin-schema", "vendor.citation-file-format",
               "--force-filetype", "yaml"],
    PRE_COMMIT: ["pre-commit", "validate-config"],
}  # fmt: skip


def accepts(validator: list[str], path: Path) -> bool:
    program, *arguments = validator
    command = [str(Path(sys.executable).with_name(program)), *arguments, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=path.parent)
    assert run.returncode in (0, 1), run.stderr
    return run.returncode == 0


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        (WORKFLOW, "runs-on:", "run-on:"),
        (CITATION, "message:", "massage:"),
        (PRE_COMMIT, "entry:", "enter:"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_validator_accepts_the_file(path: Path, right: str, wrong: str, tmp_path: Path) -> None:
    text = path.read_text()
    assert accepts(VALIDATORS[path], path)
    assert right in text
    (tmp_path / path.name).write_text(text.replace(right, wrong))
    assert not accepts(VALIDATORS[path], tmp_path / path.name)


def contents(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_ci_runs_everything_on_every_python() -> None:
    (job,) = contents(WORKFLOW)["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    (required,) = re.findall(r'python_requires="(.+)"', (ROOT / "setup.py").read_text())
    taken = [f"3.{minor}" for minor in range(30) if f"3.{minor}.1" in SpecifierSet(required)]
    assert job["strategy"]["matrix"]["python"] == taken


def test_the_citation_is_of_this_version() -> None:
    command = [sys.executable, "setup.py", "--version"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert contents(CITATION)["version"] == run.stdout.split()[-1]


def test_each_hook_is_a_tool_of_the_environment() -> None:
    hooks = [hook for repo in contents(PRE_COMMIT)["repos"] for hook in repo["hooks"]]
    tools = [hook["entry"].split()[0] for hook in hooks]
    assert tools == [f".venv/bin/{name}" for name in ("ruff", "ruff", "mypy", "lint-imports")]
    assert all(Path(sys.executable).with_name(Path(tool).name).exists() for tool in tools)


def test_the_contributors_page_names_what_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    code = " ".join(re.findall(r"`[^`]+`|^ {4,}.+$", page, re.MULTILINE))
    roots = {path.name for path in ROOT.iterdir()} - {".venv"}
    paths = {word for word in re.findall(r"[\w./-]+", code) if word.partition("/")[0] in roots}
    assert len(paths) > 15
    assert not {path for path in paths if not (ROOT / path).exists()}
    targets = set(re.findall(r"\bmake ([a-z-]+)\b", code))
    assert len(targets) == 3
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
