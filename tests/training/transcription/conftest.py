from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset


@pytest.fixture(scope="package")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small windows of all features."""
    folder = tmp_path_factory.mktemp("transcription") / "dataset"
    return make_dataset(folder, config=ALL_FEATURES, frames=FEW_FRAMES)
