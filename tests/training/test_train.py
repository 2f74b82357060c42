from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from schemas import Dataset, DuetError, StoreError
from tests.support.dataset_factory import make_dataset
from tests.support.trained_runs import MODEL, TRAINING, assert_same_run, figures, latest, run
from training import TrainingError, open_dataset
from training.cli import main
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.checkpoints import Checkpoints
from training.fitting.scoring import Validation
from training.models import WarmUpCosine
from training.reading.loader import Loader
from training.runs import CHECKPOINTS
from training.train import train
from training.trained_model import load_trained


def test_it_learns(small_dataset: Path, tmp_path: Path) -> None:
    result = run(small_dataset, tmp_path, 60)
    validations = Checkpoints(tmp_path / CHECKPOINTS).index().validations
    bits = [bits for _, bits in validations]
    assert result.best_validation_bits == min(bits)
    assert min(bits) < bits[0] - 0.05
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_stopping_and_resuming_changes_nothing(small_dataset: Path, tmp_path: Path) -> None:
    """Whatever is random in a step, and although validations use other weights."""
    model = FrameModelConfig(units=(8, 6), dropout=0.2)
    training = dataclasses.replace(TRAINING, warmup_steps=30, decay_steps=11, gain_db=3, ema=0.9)
    run(small_dataset, tmp_path / "at once", 11, model=model, training=training)
    for steps in (3, 8, 11):
        run(
            small_dataset,
            tmp_path / "in parts",
            steps,
            model=model,
            training=training,
            resume=steps > 3,
        )
    assert_same_run(tmp_path / "in parts", tmp_path / "at once")


def test_without_a_step_of_its_own_the_decay_ends_with_the_run(
    small_dataset: Path, tmp_path: Path
) -> None:
    training = TrainingConfig(batch_size=4, warmup_steps=2)
    run(small_dataset, tmp_path, 6, training=training)
    run(small_dataset, tmp_path, 8, training=training, resume=True)
    rates = [line["learning_rate"] for line in figures(tmp_path)]
    assert rates.index(max(rates)) == 1
    assert rates[5] > rates[6] == rates[7] == pytest.approx(0.02 * max(rates))


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
    chained = FrameModelConfig(units=(8,), head="independent")
    with pytest.raises(TrainingError, match="head is chained there and independent here"):
        run(small_dataset, small_run, 5, model=chained, resume=True)


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


@pytest.mark.parametrize("call", [3, 4, 5, 7, 8, 10])
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

    def bits(validation: Validation) -> float:
        shutil.rmtree(run_dir)
        return 1.0

    monkeypatch.setattr(Validation, "bits", bits)
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


def test_diverged_weights_are_an_error_that_names_the_windows(
    small_dataset: Path, tmp_path: Path
) -> None:
    wild = TrainingConfig(batch_size=4, learning_rate=1e38, warmup_steps=0)
    message = (
        r"the loss of step \d+ is nan: the weights diverged on (train-\d frames \d+ to \d+(, )?)+; "
        "start another run with a smaller learning_rate"
    )
    with pytest.raises(TrainingError, match=message):
        run(small_dataset, tmp_path, 20, training=wild, validation_interval=20)


def test_a_run_that_diverges_keeps_the_checkpoints_from_before(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(small_dataset, tmp_path / "sound", 6)
    learning_rate = WarmUpCosine.__call__

    def wild(schedule: WarmUpCosine, step: Any) -> Any:
        return tf.where(tf.cast(step, tf.int32) < 6, learning_rate(schedule, step), 1e38)

    monkeypatch.setattr(WarmUpCosine, "__call__", wild)
    with pytest.raises(TrainingError, match="diverged"):
        run(small_dataset, tmp_path / "wild", 20)
    step, arrays = latest(tmp_path / "wild")
    assert step == 4
    assert all(np.isfinite(array).all() for array in arrays)
    monkeypatch.undo()
    run(small_dataset, tmp_path / "wild", 6, resume=True)
    assert_same_run(tmp_path / "wild", tmp_path / "sound")


def test_weights_that_diverge_in_the_last_step_are_not_saved(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss before the step was finite."""
    monkeypatch.setattr(WarmUpCosine, "__call__", lambda schedule, step: tf.constant(np.inf))
    with pytest.raises(TrainingError, match="the weights diverged in step 1; start another run"):
        run(small_dataset, tmp_path, 1)
    assert not (tmp_path / CHECKPOINTS).exists()


def test_training_stops_early_once_validations_no_longer_improve(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([5.0, 4.0, 4.5, 4.0, 3.0])
    monkeypatch.setattr(Validation, "bits", lambda validation: next(scores))
    result = run(small_dataset, tmp_path, 100, patience=2)
    assert (result.step, result.best_step) == (16, 8)
    assert result.stopped_early
    assert not result.interrupted
    again = run(small_dataset, tmp_path, 100, patience=2, resume=True)
    assert (again.new_steps, again.stopped_early) == (0, True)
    assert run(small_dataset, tmp_path, 18, patience=3, resume=True).new_steps == 2


def test_an_averaged_model_is_what_is_scored_and_used(small_dataset: Path, tmp_path: Path) -> None:
    averaged = dataclasses.replace(TRAINING, ema=0.9)
    result = run(small_dataset, tmp_path / "averaged", 8, training=averaged)
    plain = run(small_dataset, tmp_path / "plain", 8)
    assert result.validation_bits != plain.validation_bits
    mine, other = (load_trained(tmp_path / name).model for name in ("averaged", "plain"))
    raw = Checkpoints(tmp_path / "averaged" / CHECKPOINTS).load(8)
    for weight, trained in zip(raw.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_array_equal(weight, trained)
    reader = open_dataset(small_dataset, "validation", batch_size=4)
    assert Validation(mine, reader).bits() == result.validation_bits


def test_mixed_precision_trains_and_resumes(small_dataset: Path, tmp_path: Path) -> None:
    mixed = dataclasses.replace(MODEL, mixed_precision=True)
    run(small_dataset, tmp_path / "at once", 6, model=mixed)
    for steps in (4, 6):
        run(small_dataset, tmp_path / "in parts", steps, model=mixed, resume=steps > 4)
    assert_same_run(tmp_path / "in parts", tmp_path / "at once")
    assert {array.dtype for array in latest(tmp_path / "at once")[1]} <= {
        np.dtype(name) for name in ("float32", "int64", "int32")
    }


def test_an_error_of_the_reader_is_its_own(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow makes one of its own of it on the way."""

    def finish(loader: Loader, *arguments: Any) -> None:
        raise StoreError("s3://bucket: does not answer")

    run(small_dataset, tmp_path, 4)
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "finish", finish)
        with pytest.raises(StoreError, match=r"^s3://bucket: does not answer$"):
            run(small_dataset, tmp_path, 8, resume=True)
    assert run(small_dataset, tmp_path, 8, resume=True).new_steps == 4


def test_the_folder_of_a_run_says_what_made_it(small_dataset: Path, tmp_path: Path) -> None:
    run(small_dataset, tmp_path, 2)
    description = json.loads((tmp_path / "run.json").read_bytes())
    assert description["packages"]["keras"] == keras.__version__
    assert description["fingerprint"] == Dataset(small_dataset).manifest.fingerprint
    assert description["training"]["decay_steps"] == 40
    tags = {
        value.tag: value.metadata.plugin_data.plugin_name
        for path in (tmp_path / "tensorboard").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {"bits", "learning_rate", "validation_bits"} <= set(tags)
    assert {"scalars", "images", "audio"} == set(tags.values())


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
        {"warmup_steps": -1},
        {"decay_steps": 0},
        {"gain_db": -1},
        {"ema": 1.0},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=next(iter(values))):
        TrainingConfig(**values)


def test_a_step_without_any_window_changes_no_weight_to_nan(tmp_path: Path) -> None:
    """All windows of its batch are damaged."""
    root = make_dataset(tmp_path / "data", formats=("tfrecord",))
    shard = root / "train" / "00000-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-100])
    training = dataclasses.replace(TRAINING, batch_size=1)
    epoch = open_dataset(root, batch_size=1).batches_per_epoch
    result = run(root, tmp_path / "run", epoch, training=training)
    assert len(result.damaged_windows) == 1
    lines = figures(tmp_path / "run")
    assert [line["frames"] for line in lines].count(0) == 1
    assert all(np.isfinite(line["bits"]) for line in lines)


def test_a_split_of_damaged_windows_alone_is_an_error_of_the_reader(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", formats=("tfrecord",))
    for shard in (root / "train").glob("*.tfrecord"):
        shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(DuetError, match=f"^{root}.*damaged"):
        run(root, tmp_path / "run", 4)
