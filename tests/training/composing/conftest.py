"""A dataset of piano rolls, and a composer that was trained on it for a few steps."""

from pathlib import Path

import pytest

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset


@pytest.fixture(scope="session")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rolls") / "dataset"
    return make_dataset(root, config=ALL_FEATURES, frames=FEW_FRAMES)


@pytest.fixture(scope="session")
def composer_run(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.composers import SMALL, SOON
    from training.composing.train import train_composer

    run_dir = tmp_path_factory.mktemp("composer") / "run"
    train_composer(str(rolls), str(run_dir), SMALL, SOON)
    return run_dir
