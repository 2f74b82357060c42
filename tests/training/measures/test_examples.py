"""The examples in the docstrings of the measures run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import training.measures

MODULES = [each.name for each in pkgutil.iter_modules(training.measures.__path__)]
WITHOUT_EXAMPLES = {"controls", "judge", "observation", "real_music", "reference", "table"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"training.measures.{name}"))
    assert result.failed == 0
    assert (result.attempted > 0) == (name not in WITHOUT_EXAMPLES)
