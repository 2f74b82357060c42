from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from musicnet_duet import __version__
from tests.support.dataset_factory import make_dataset
from tests.support.trained_runs import assert_same_run, latest
from training.cli import main

SETTINGS = """\
model: {recurrent: rnn, units: [6, 5], dropout: 0.25}
training: {batch_size: 3, learning_rate: 1e-2, gain_db: 3, seed: 5, deterministic: true}
loop: {steps: 6, validation_interval: 4}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(SETTINGS)
    return path


def train(data: Path, run_dir: Path, *options: object) -> int:
    return main(["train", "--data", str(data), "--run", str(run_dir), *map(str, options)])


def description(run_dir: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((run_dir / "run.json").read_bytes())
    return values


def test_the_file_of_a_run_makes_the_same_run(
    small_dataset: Path, tmp_path: Path, settings: Path
) -> None:
    first, again, third = (tmp_path / name for name in ("first", "again", "third"))
    assert train(small_dataset, first, "--config", settings) == 0
    assert latest(first)[0] == 6
    assert train(small_dataset, again, "--config", first / "run.json") == 0
    assert description(again) == description(first)
    assert_same_run(again, first)
    assert train(small_dataset, third, "--config", first / "run.json", "--seed", 6) == 0
    with pytest.raises(AssertionError):
        assert_same_run(third, first)


def test_a_run_that_was_resumed_is_made_again_as_a_whole(
    small_dataset: Path, tmp_path: Path, settings: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    assert train(small_dataset, first, "--config", settings, "--steps", 3) == 0
    assert train(small_dataset, first, "--resume", "--steps", 5, "--validation-interval", 2) == 0
    assert train(small_dataset, again, "--config", first / "run.json") == 0
    assert latest(again)[0] == 5
    assert description(again) == description(first)
    assert_same_run(again, first)


def test_options_come_before_the_file_and_the_file_before_the_defaults(
    small_dataset: Path, tmp_path: Path, settings: Path
) -> None:
    options = ("--units", 4, "--steps", 2, "--seed", 8, "--memory-mb", 9)
    assert train(small_dataset, tmp_path / "run", "--config", settings, *options) == 0
    found = description(tmp_path / "run")
    model, training, loop = (found[section] for section in ("model", "training", "loop"))
    assert (model["recurrent"], model["units"], model["seed"]) == ("rnn", [4], 8)
    assert (training["batch_size"], training["seed"], training["clip_norm"]) == (3, 8, 1.0)
    assert (loop["steps"], loop["validation_interval"]) == (2, 4)
    assert (loop["memory_bytes"], loop["patience"]) == (9_000_000, None)


def test_the_settings_of_a_run_train_on_another_dataset(
    small_dataset: Path, tmp_path: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, first, second = tmp_path / "other", tmp_path / "first", tmp_path / "second"
    make_dataset(other, seed=1)
    assert train(small_dataset, first, "--config", settings) == 0
    assert train(other, second, "--config", first / "run.json") == 0
    found, expected = description(second), description(first)
    assert found["fingerprint"] != expected["fingerprint"]
    assert found["training"] == expected["training"]
    capsys.readouterr()
    assert train(other, first, "--config", first / "run.json", "--resume", "--steps", 9) == 1
    assert "cannot be resumed, since dataset fingerprint is" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_settings(
    small_dataset: Path, tmp_path: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train(small_dataset, run, "--config", settings, "--patience", 50) == 0
    before = (run / "run.json").read_bytes()
    capsys.readouterr()
    assert train(small_dataset, run, "--resume") == 0
    assert capsys.readouterr().out == f"{run}: all 6 steps are done; raise --steps to go on\n"
    assert (run / "run.json").read_bytes() == before
    assert train(small_dataset, run, "--resume", "--steps", 7) == 0
    expected = json.loads(before)
    expected["loop"]["steps"] = 7
    assert description(run) == expected
    assert train(small_dataset, run, "--config", settings, "--resume", "--steps", 8) == 0
    settings.write_text(SETTINGS.replace("rnn", "gru"))
    assert train(small_dataset, run, "--config", settings, "--resume", "--steps", 9) == 1
    assert "cannot be resumed, since model is rnn there and gru here" in capsys.readouterr().err


def test_a_wrong_setting_is_named_as_the_file_has_it(
    small_dataset: Path, tmp_path: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write_text("training:\n  seed: -1\n")
    assert train(small_dataset, tmp_path / "run", "--config", settings) == 1
    assert capsys.readouterr().err == (
        f"error: {settings}: line 2: training.seed=-1 must be an integer from 0 to 2147483647\n"
    )
    assert not (tmp_path / "run").exists()


def test_the_folder_of_a_run_says_what_it_was_made_with(
    small_dataset: Path, tmp_path: Path, settings: Path
) -> None:
    """Other versions do not keep it from being resumed."""
    run = tmp_path / "run"
    assert train(small_dataset, run, "--config", settings, "--steps", 2) == 0
    found = description(run)
    assert found["packages"] == {
        "keras": keras.__version__,
        "musicnet_duet": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }
    found["packages"] = dict.fromkeys(found["packages"], "0.0.1")
    (run / "run.json").write_text(json.dumps(found))
    assert train(small_dataset, run, "--resume", "--steps", 3) == 0
    assert description(run)["packages"]["python"] == "0.0.1"
