"""Inputs and datasets that many tests only read, made once a session."""

from pathlib import Path

import pytest

from tests.tiny_musicnet import CONFIG, write_tiny_musicnet


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of audio in MusicNet's layout."""
    return write_tiny_musicnet(tmp_path_factory.mktemp("tiny") / "in")


@pytest.fixture(scope="session")
def tiny_dataset(tiny_root: Path) -> Path:
    """The dataset of `tiny_root` in both formats, several shards a split."""
    from pipelines.preprocess import PreprocessOptions, preprocess

    out = tiny_root.parent / "out"
    formats = ("tfrecord", "hdf5")
    options = PreprocessOptions(
        str(tiny_root), str(out), CONFIG, formats=formats, shard_megabytes=0.1
    )
    preprocess(options)
    return out


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo recordings."""
    from pipelines.demo_data import write_demo_data

    root = tmp_path_factory.mktemp("demo")
    write_demo_data(root)
    return root
