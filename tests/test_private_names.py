"""Nothing of other packages is used that no release of theirs promises."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "schemas",
    "pipelines",
    "training",
    "musicnet_duet",
    "benchmarks",
    "examples",
    "deploy",
    "tests",
)
OWN = ("self", "cls")

UNDOCUMENTED = (
    "apache_beam.runners.portability.fn_api_runner.worker_handlers",
    "apache_beam.runners.worker",
    "create_runner",
    "multiprocessing.forkserver",
    "multiprocessing.resource_tracker",
)
"""Without an underscore, and internal all the same: no documentation promises them."""

DOCUMENTED = {"os._exit", "sys._getframe"}
"""With an underscore, and documented."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return before and f"{before}.{node.attr}"
    return None


def defined_privately(trees: Iterator[ast.AST]) -> set[str]:
    """All private names that the project itself defines: functions, classes, attributes."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.alias) and node.asname:
                found.add(node.asname)
    return {name for name in found if is_private(name)}


def sources() -> list[tuple[Path, ast.Module]]:
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [(path.relative_to(ROOT), ast.parse(path.read_text())) for path in files]


def problems(tree: ast.Module, own: set[str]) -> Iterator[tuple[int, str]]:
    """What a module uses of others that is private or undocumented, by line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            name = dotted(node) or f"....{node.attr}"
            if name not in DOCUMENTED and node.attr not in own:
                yield node.lineno, name
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for name in (f"{module}{each.name}" for each in node.names):
                foreign = name.partition(".")[0] not in FOLDERS
                private = any(is_private(part) for part in name.split("."))
                if foreign and (private or any(each in name for each in UNDOCUMENTED)):
                    yield node.lineno, name
        if isinstance(node, ast.Call) and dotted(node.func) in ("getattr", "setattr", "vars"):
            for argument in node.args[1:2]:
                text = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(text, str) and is_private(text) and text not in own:
                    yield node.lineno, text


def test_no_private_part_of_another_package_is_used() -> None:
    modules = sources()
    assert len(modules) > 150
    own = defined_privately(iter(tree for _, tree in modules))
    found = [
        f"{path}:{line}: {name}" for path, tree in modules for line, name in problems(tree, own)
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import atexit\natexit._run_exitfuncs()",
        "from fsspec.core import _un_chain",
        "filesystem._strip_protocol(url)",
        "from multiprocessing import forkserver",
        "import apache_beam.runners.portability.fn_api_runner.worker_handlers",
        "from apache_beam.runners.runner import create_runner",
        "from apache_beam.runners.worker.sdk_worker import SdkHarness",
        "options._add_argparse_args(parser)",
        "getattr(np, '_core')",
    ],
)
def test_private_parts_are_noticed(code: str) -> None:
    assert list(problems(ast.parse(code), set()))


def test_what_is_documented_is_known_to_be_there() -> None:
    assert hasattr(sys, "_getframe")
    assert all(hasattr(builtins, name) for name in ("getattr", "setattr"))
