from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.dataset_factory import make_dataset
from training import TrainingError
from training.checkpoints import Checkpoints
from training.cli import main
from training.config import LoopConfig, ModelConfig, TrainingConfig
from training.reading.reader import Reader
from training.runs import CHECKPOINTS
from training.train import Trainer, TrainingResult, train

MODEL = ModelConfig(units=(8,))
TRAINING = TrainingConfig(batch_size=4, seed=3)


def run(data: Path, run_dir: Path, steps: int, *, resume: bool = False) -> TrainingResult:
    loop = LoopConfig(steps=steps, validation_interval=4)
    return train(str(data), str(run_dir), MODEL, TRAINING, loop, resume=resume)


def latest(run_dir: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    checkpoints = Checkpoints(run_dir / CHECKPOINTS)
    progress, weights, optimizer = checkpoints.load(checkpoints.latest() or "")
    return dataclasses.asdict(progress), weights + optimizer


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Equal steps, reader states, weights and optimizer variables, bit for bit."""
    (mine, my_arrays), (other, other_arrays) = latest(ours), latest(theirs)
    assert (mine["step"], mine["reader"]) == (other["step"], other["reader"])
    for array, expected in zip(my_arrays, other_arrays, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_it_learns(small_dataset: Path, tmp_path: Path) -> None:
    result = run(small_dataset, tmp_path, 60)
    bits = [bits for _, bits in latest(tmp_path)[0]["validations"]]
    assert result.best_validation_bits == min(bits)
    assert min(bits) < bits[0] - 0.05
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_stopping_and_resuming_changes_nothing(small_dataset: Path, tmp_path: Path) -> None:
    run(small_dataset, tmp_path / "at once", 11)
    for steps in (3, 8, 11):
        run(small_dataset, tmp_path / "in parts", steps, resume=steps > 3)
    assert_same_run(tmp_path / "in parts", tmp_path / "at once")


def stopped_by(number: signal.Signals, command: list[str], run_dir: Path) -> str:
    """Starts `command`, signals it after its next checkpoint, and returns what it said."""
    index = run_dir / CHECKPOINTS / "index.json"
    before = index.read_text() if index.exists() else None
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not index.exists() or index.read_text() == before:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    return said


def test_signals_save_what_was_done(small_dataset: Path, tmp_path: Path) -> None:
    """A process that is asked to stop exits with 130; resumed, it ends as if never stopped."""
    stopped = tmp_path / "stopped"
    command = [sys.executable, "-m", "training", "train", "--data", str(small_dataset)]
    command += ["--run-dir", str(stopped), "--validation-interval", "4", "--steps", "100000"]
    settings = ["--units", "8", "--batch-size", "4", "--seed", "3"]
    said = stopped_by(signal.SIGINT, command + settings, stopped)
    assert "go on with: duet train" in said
    assert "Traceback" not in said
    at_first = latest(stopped)[0]["step"]
    stopped_by(signal.SIGTERM, [*command, "--resume"], stopped)
    steps = latest(stopped)[0]["step"]
    assert steps > at_first
    run(small_dataset, tmp_path / "at once", steps)
    assert_same_run(stopped, tmp_path / "at once")


def test_a_run_is_not_overwritten(small_dataset: Path, small_run: Path) -> None:
    with pytest.raises(TrainingError, match="holds a run already; go on with it"):
        run(small_dataset, small_run, 5)


def test_only_a_run_is_resumed(small_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no run to resume"):
        run(small_dataset, tmp_path, 5, resume=True)


def test_another_dataset_or_model_is_refused(
    small_dataset: Path, small_run: Path, tmp_path: Path
) -> None:
    other = make_dataset(tmp_path, seed=1)
    with pytest.raises(TrainingError, match=r"dataset fingerprint is .* there and .* here"):
        run(other, small_run, 5, resume=True)
    with pytest.raises(TrainingError, match="seed is 0 there and 3 here"):
        run(small_dataset, small_run, 5, resume=True)


def test_a_run_that_is_done_says_so(
    small_dataset: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    command = ["train", "--data", str(small_dataset), "--run-dir", str(small_run), "--resume"]
    for steps in ("12", "5"):
        assert main([*command, "--steps", steps]) == 0
        assert capsys.readouterr().out == (
            f"{small_run}: all 12 steps are done; raise --steps to go on\n"
        )
    assert {path: path.stat().st_mtime_ns for path in small_run.rglob("*")} == before


def leftovers(run_dir: Path) -> list[str]:
    return [str(path) for path in run_dir.rglob("*") if path.name.startswith(".tmp")]


@pytest.mark.parametrize("call", [3, 5, 7, 9, 12])
def test_a_full_disk_ends_in_one_line_and_the_run_goes_on(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The disk is full at some flush of run.json (the first) or of a checkpoint (the others)."""
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    run_dir = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        message = (
            rf"^{run_dir}/.*: cannot be written: no space left on device; make room, then run the "
            "same command again with resume=True$"
        )
        with pytest.raises(TrainingError, match=message):
            run(small_dataset, run_dir, 6)
    assert not leftovers(run_dir)
    run(small_dataset, run_dir, 6, resume=True)
    run(small_dataset, tmp_path / "at once", 6)
    assert_same_run(run_dir, tmp_path / "at once")


def test_tensorboards_full_disk_is_one_too(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "events; No space left on device\n\t")

    with monkeypatch.context() as patch:
        patch.setattr(tf.summary, "scalar", full)
        with pytest.raises(TrainingError, match=r"tensorboard: cannot be written: no space left"):
            run(small_dataset, tmp_path, 2)
    assert run(small_dataset, tmp_path, 2, resume=True).step == 2


def test_a_folder_that_vanished_is_not_made_again(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"

    def validate(trainer: Trainer, reader: Reader) -> float:
        shutil.rmtree(run_dir)
        return 1.0

    monkeypatch.setattr(Trainer, "validate", validate)
    with pytest.raises(TrainingError, match=r"run\.json vanished during training"):
        run(small_dataset, run_dir, 2)
    assert not run_dir.exists()


def test_folders_of_others_are_left_alone(small_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mine").touch()
    with pytest.raises(TrainingError, match="checkpoints: exists, and belongs to no run"):
        run(small_dataset, tmp_path, 2)
    copy = tmp_path / "dataset"
    shutil.copytree(small_dataset, copy)
    with pytest.raises(TrainingError, match="is a dataset's own folder"):
        run(copy, copy / "run", 2)
    assert not (copy / "run").exists()


def test_budget_too_small_for_both_splits(small_dataset: Path, tmp_path: Path) -> None:
    loop = LoopConfig(memory_bytes=2**10)
    with pytest.raises(TrainingError, match="give at least 1 MB"):
        train(str(small_dataset), str(tmp_path / "run"), MODEL, TRAINING, loop)
    assert not (tmp_path / "run").exists()


def test_weights_that_run_away_are_an_error(small_dataset: Path, tmp_path: Path) -> None:
    wild = TrainingConfig(batch_size=4, learning_rate=1e38)
    with pytest.raises(TrainingError, match="start another run with a smaller learning_rate"):
        train(str(small_dataset), str(tmp_path), MODEL, wild, LoopConfig(steps=20))


def test_damaged_windows_are_reported(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", formats=("tfrecord",))
    shard = root / "train" / "00000-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-100])
    result = run(root, tmp_path / "run", 5)
    assert len(result.damaged_windows) == 1
    assert "the file was cut short" in result.damaged_windows[0]


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"clip_norm": -1.0},
        {"seed": -1},
        {"input_noise_db": -1},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=next(iter(values))):
        TrainingConfig(**values)
