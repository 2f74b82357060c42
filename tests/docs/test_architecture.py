"""docs/architecture.md and its picture name every package and layer."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PACKAGES = ("musicnet_duet", "pipelines", "schemas", "training")

NAMED = set(re.findall(r"`([\w./-]+/)`", PAGE))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_names_every_package_and_subpackage(package: str) -> None:
    found = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / package).rglob("__init__.py")}
    assert found <= NAMED


def test_the_page_gives_the_layers_that_import_linter_enforces() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    checked = 0
    for contract in contracts["contracts"]:
        if contract["type"] != "layers":
            continue
        (package,) = contract.get("containers", ["all packages"])
        row = next(line for line in PAGE.splitlines() if re.match(rf"\| `?{package}`? \|", line))
        layers = [sorted(re.findall(r"[\w.]+", layer)) for layer in contract["layers"]]
        named = [sorted(re.findall(r"`([\w.]+)`", layer)) for layer in row.split("|")[2].split(";")]
        assert named == layers
        checked += 1
    assert checked >= 3


def test_the_picture_names_what_exists_and_is_current() -> None:
    boxes = runpy.run_path(str(ROOT / "docs/draw_architecture.py"))["BOXES"]
    picture = (ROOT / "docs/architecture.svg").read_text(encoding="utf-8")
    paths = {str(path.relative_to(ROOT)) for package in PACKAGES for path in _all(ROOT / package)}
    for box in boxes:
        for name in re.findall(r"[\w/]+(?:/|\.py)", box.title):
            assert any(f"/{path}".endswith(f"/{name.rstrip('/')}") for path in paths), name
        for line in [box.title, *box.text.splitlines()]:
            assert f"<!-- {line} -->" in picture, "run python docs/draw_architecture.py"


def _all(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]
