"""Every public name is documented in full, its example runs, and docs/api.md is current."""

from __future__ import annotations

import doctest
import runpy
import shutil
from pathlib import Path
from typing import Any

import griffe
import pytest

ROOT = Path(__file__).parents[2]
MAKE_API = runpy.run_path(str(ROOT / "docs/make_api.py"))
PUBLIC: dict[str, griffe.Object] = {
    f"{package}.{name}": found
    for package in MAKE_API["PACKAGES"]
    for name, found in MAKE_API["public_names"](package).items()
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_every_part_of_its_documentation(name: str) -> None:
    found = PUBLIC[name]
    parts = {part.kind.value: part.value for part in MAKE_API["sections_of"](found)}
    assert {"text", "examples"} <= parts.keys()
    listed = [*parts.get("parameters", ()), *parts.get("attributes", ())]
    documented = {each.name for each in listed}
    if isinstance(found, griffe.Function):
        assert {"returns", "raises"} <= parts.keys()
        assert documented == _parameters(found.parameters)
    elif isinstance(found, griffe.Class) and not name.endswith("Error"):
        assert documented >= _parameters(found.parameters)


def _parameters(parameters: Any) -> set[str]:
    return {each.name for each in parameters} - {"self", "cls"}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_a_public_name_runs(
    name: str, documented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docstring = PUBLIC[name].docstring
    assert docstring
    test = doctest.DocTestParser().get_doctest(docstring.value, {}, name, None, 0)
    assert test.examples
    assert not any("SKIP" in example.source for example in test.examples)
    shutil.copytree(documented, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    report: list[str] = []
    failed = doctest.DocTestRunner().run(test, out=report.append).failed
    assert not failed, "".join(report)


def test_the_page_is_current() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert page == MAKE_API["page"](), "run python docs/make_api.py"
