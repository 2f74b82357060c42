"""Inputs and datasets that many tests only read, made once a session."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.tiny_musicnet import CONFIG, write_tiny_musicnet


def pytest_configure() -> None:
    """Shells let what they start in the background, and all that this starts, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of audio in MusicNet's layout."""
    return write_tiny_musicnet(tmp_path_factory.mktemp("tiny") / "in")


@pytest.fixture(scope="session")
def tiny_dataset(tiny_root: Path) -> Path:
    """The dataset of `tiny_root` in both formats, several shards a split."""
    from pipelines.planning.plan import PlanOptions
    from pipelines.preprocessing import PreprocessOptions, preprocess

    out = tiny_root.parent / "out"
    formats = ("tfrecord", "hdf5")
    plan = PlanOptions(features=CONFIG, shard_megabytes=0.1)
    preprocess(
        PreprocessOptions(input_root=str(tiny_root), output=str(out), plan=plan, formats=formats)
    )
    return out


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo recordings."""
    from pipelines.demo.data import write_demo_data

    root = tmp_path_factory.mktemp("demo")
    write_demo_data(root)
    return root


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic dataset that is made without Beam."""
    return make_dataset(tmp_path_factory.mktemp("small") / "dataset")


@pytest.fixture(scope="session")
def small_run(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a tiny model on `small_dataset`."""
    from training.config import FrameModelConfig, LoopConfig, TrainingConfig
    from training.train import train

    run_dir = tmp_path_factory.mktemp("small") / "run"
    model, training = FrameModelConfig(units=(8,)), TrainingConfig(batch_size=4)
    loop = LoopConfig(steps=12, validation_interval=5)
    train(str(small_dataset), str(run_dir), model, training, loop)
    return run_dir


@pytest.fixture(scope="session")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of all features in small windows."""
    root = tmp_path_factory.mktemp("rolls") / "dataset"
    return make_dataset(root, config=ALL_FEATURES, frames=FEW_FRAMES)


@pytest.fixture(scope="session")
def composer_run(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a tiny composer on `rolls`."""
    from tests.support.composers import SMALL, SOON
    from training.composing.train import train_composer

    run_dir = tmp_path_factory.mktemp("composer") / "run"
    train_composer(str(rolls), str(run_dir), SMALL, SOON)
    return run_dir


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything that tests need is said to be present, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("NO_SKIPS is set, and tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
