from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import training.composing

MODULES = [each.name for each in pkgutil.iter_modules(training.composing.__path__)]


@pytest.mark.parametrize("name", [each for each in MODULES if each != "model"])
def test_examples_of_functions_run(name: str) -> None:
    found = importlib.import_module(f"training.composing.{name}")
    assert doctest.testmod(found).failed == 0


def test_the_example_of_the_model_runs(
    rolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads a dataset in the current folder."""
    (tmp_path / "dataset").symlink_to(rolls)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module("training.composing.model"))
    assert (found.failed, found.attempted > 5) == (0, True)
