from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from musicnet_duet.outputs import RUN_FILE
from schemas import Dataset
from training import TrainingError
from training.config import ModelConfig, TrainingConfig
from training.runs import Run, is_run, read_run, write_run
from training.trained_model import load_trained


@pytest.fixture(scope="module")
def run(small_dataset: Path) -> Run:
    return Run.of(Dataset(small_dataset), ModelConfig(units=(8,)), TrainingConfig())


def test_what_was_written_is_read(run: Run, tmp_path: Path) -> None:
    assert not is_run(tmp_path)
    write_run(tmp_path, run)
    assert is_run(tmp_path)
    assert read_run(tmp_path) == run


def test_the_bins_are_those_of_the_dataset(run: Run) -> None:
    assert run.model.n_mels == len(run.mean_db) == len(run.std_db) == 8


def test_a_dataset_without_levels_is_refused(small_dataset: Path) -> None:
    dataset = Dataset(small_dataset)
    dataset.manifest = dataclasses.replace(dataset.manifest, statistics=None)
    with pytest.raises(TrainingError, match=f"{small_dataset}: holds no log_mel"):
        Run.of(dataset, ModelConfig(), TrainingConfig())


@pytest.mark.parametrize("change", [{"model": {"kind": "cnn"}}, {"training": {"lr": 1}}])
def test_a_changed_file_is_refused(run: Run, tmp_path: Path, change: dict[str, Any]) -> None:
    values = {**json.loads(run.to_json()), **change}
    (tmp_path / RUN_FILE).write_text(json.dumps(values))
    with pytest.raises(TrainingError, match=r"run\.json: "):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(TrainingError, match="not the description of a run"):
        read_run(tmp_path)


def test_differences_are_named(run: Run) -> None:
    other = dataclasses.replace(run, model=dataclasses.replace(run.model, kind="rnn"))
    run.require_same(run, where="here")
    with pytest.raises(TrainingError, match="model is gru there and rnn here"):
        run.require_same(other, where="here")


def test_a_folder_without_a_run_is_an_error_with_the_whole_command(tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    with pytest.raises(TrainingError) as caught:
        read_run(folder)
    assert str(caught.value).endswith(f"duet train --data DATASET --run '{folder}'")


def test_a_run_without_a_checkpoint_is_an_error_with_the_whole_command(
    run: Run, tmp_path: Path
) -> None:
    write_run(tmp_path, run)
    with pytest.raises(TrainingError) as caught:
        load_trained(tmp_path)
    assert str(caught.value).endswith(f"duet train --data DATASET --run {tmp_path} --resume")
