from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from musicnet_duet.outputs import COMPOSER_FILE, RUN_FILE, TRANSCRIBER_FILE
from schemas import Dataset, DatasetError
from training import TrainingError
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.fitting.scoring import Validation
from training.runs import Run, is_run, read_run, require_new, write_run
from training.train import train
from training.trained_model import load_trained


@pytest.fixture(scope="module")
def run(small_dataset: Path) -> Run:
    return Run.of(Dataset(small_dataset), FrameModelConfig(units=(8,)), TrainingConfig(seed=5))


def test_what_was_written_is_read(run: Run, tmp_path: Path) -> None:
    assert not is_run(tmp_path)
    write_run(tmp_path, run)
    assert is_run(tmp_path)
    assert read_run(tmp_path) == run


def test_the_bins_are_those_of_the_dataset(run: Run) -> None:
    assert run.model.n_mels == len(run.mean_db) == len(run.std_db) == 8


def test_the_seed_is_that_of_the_training(run: Run) -> None:
    assert run.model.seed == run.training.seed == 5


def test_a_dataset_without_levels_is_refused(small_dataset: Path) -> None:
    dataset = Dataset(small_dataset)
    dataset.manifest = dataclasses.replace(dataset.manifest, statistics=None)
    with pytest.raises(TrainingError, match=f"{small_dataset}: holds no log_mel"):
        Run.of(dataset, FrameModelConfig(), TrainingConfig())


@pytest.mark.parametrize("change", [{"model": {"recurrent": "cnn"}}, {"training": {"lr": 1}}])
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
    other = dataclasses.replace(run, model=dataclasses.replace(run.model, recurrent="rnn"))
    run.require_same(run, where="here")
    with pytest.raises(TrainingError, match="model is gru there and rnn here"):
        run.require_same(other, where="here")


def test_a_folder_without_a_run_is_an_error_with_the_whole_command(tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    with pytest.raises(TrainingError) as caught:
        read_run(folder)
    assert str(caught.value).endswith(f"duet train --data DATASET --run '{folder}'")


@pytest.mark.parametrize("name", [RUN_FILE, TRANSCRIBER_FILE, COMPOSER_FILE])
def test_no_run_begins_in_the_folder_of_another_of_any_kind(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(TrainingError, match=f"^{tmp_path}: holds a run already; choose another"):
        require_new(str(tmp_path), files=())


def test_no_run_begins_where_its_files_would_replace_others(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    require_new(str(tmp_path), files=("model.keras",))
    (tmp_path / "model.keras").touch()
    with pytest.raises(
        TrainingError, match=r"/model\.keras: exists, and belongs to no run; choose"
    ):
        require_new(str(tmp_path), files=("model.keras",))


def test_no_run_begins_within_a_dataset_or_in_a_store(small_dataset: Path) -> None:
    with pytest.raises(TrainingError, match="is a dataset's own folder; choose another"):
        require_new(str(small_dataset / "run"), files=())
    with pytest.raises(
        DatasetError, match=r"^memory://runs/.*: this needs a folder on a local disk"
    ):
        require_new("memory://runs/run", files=())


def test_training_does_not_begin_in_the_folder_of_a_transcriber(
    small_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / TRANSCRIBER_FILE).touch()
    with pytest.raises(TrainingError, match="holds a run already; choose another run_dir"):
        train(str(small_dataset), str(tmp_path), FrameModelConfig(), TrainingConfig(), LoopConfig())


def test_a_run_without_a_checkpoint_is_an_error_with_the_whole_command(
    run: Run, tmp_path: Path
) -> None:
    write_run(tmp_path, run)
    with pytest.raises(TrainingError) as caught:
        load_trained(tmp_path)
    assert str(caught.value).endswith(f"duet train --data DATASET --run {tmp_path} --resume")


def test_a_run_of_an_earlier_version_is_rejected_with_a_remedy(run: Run, tmp_path: Path) -> None:
    values = json.loads(run.to_json())
    del values["version"], values["packages"]
    values["model"] = {"kind": "gru", "mixtures": 3, "n_mels": 8, "units": [8]}
    values["training"] = {
        "batch_size": 8,
        "clip_norm": 1.0,
        "input_noise_db": 20.0,
        "learning_rate": 0.001,
        "seed": 0,
    }
    (tmp_path / RUN_FILE).write_text(json.dumps(values))
    with pytest.raises(TrainingError) as caught:
        read_run(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/run.json: this run was made by an earlier version, whose checkpoints this one "
        "cannot read; start another run, or use the version that made it"
    )


def test_a_run_of_a_later_version_is_rejected_with_a_remedy(run: Run, tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text(json.dumps({**json.loads(run.to_json()), "version": 3}))
    with pytest.raises(TrainingError, match=r"run\.json: has version 3 of the format"):
        read_run(tmp_path)


def test_checkpoints_are_chosen_by_name_or_step(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([4.0, 5.0, 6.0])
    monkeypatch.setattr(Validation, "bits", lambda validation: next(scores))
    model, loop = FrameModelConfig(units=(4,)), LoopConfig(steps=6, validation_interval=2)
    train(str(small_dataset), str(tmp_path), model, TrainingConfig(batch_size=4), loop)
    chosen: dict[str | int, int] = {"best": 2, "last": 6, 4: 4, "4": 4, 6: 6}
    for checkpoint, step in chosen.items():
        trained = load_trained(tmp_path, checkpoint)
        assert (trained.step, trained.checkpoint) == (step, f"step-{step:08d}")
    for unknown in (3, "worst", -2, None):
        with pytest.raises(TrainingError, match=r"choose one of last, best, 2, 4, 6$"):
            load_trained(tmp_path, unknown)  # type: ignore[arg-type]


def test_a_checkpoint_of_another_run_is_rejected(small_run: Path, tmp_path: Path) -> None:
    shutil.copytree(small_run, tmp_path / "run")
    values = json.loads((tmp_path / "run" / RUN_FILE).read_bytes())
    values["model"]["units"] = [9]
    (tmp_path / "run" / RUN_FILE).write_text(json.dumps(values))
    with pytest.raises(TrainingError, match="this checkpoint is not of the model in"):
        load_trained(tmp_path / "run")
