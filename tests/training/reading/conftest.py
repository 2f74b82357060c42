"""Small datasets of all features."""

import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 training windows in three shards; the last ones of four recordings are padded."""
    path = tmp_path_factory.mktemp("reading") / "dataset"
    return make_dataset(path, config=ALL_FEATURES, frames=FEW_FRAMES)


@pytest.fixture(scope="session")
def half_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with `log_mel` stored as float16."""
    path = tmp_path_factory.mktemp("reading") / "half"
    config = dataclasses.replace(ALL_FEATURES, dtype="float16")
    return make_dataset(path, config=config, frames=FEW_FRAMES)


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Nothing is deleted but what nobody refers to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
