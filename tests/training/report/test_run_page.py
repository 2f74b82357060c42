from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from musicnet_duet.cli import main
from schemas import Dataset
from tests.support import trained_runs
from tests.support.dataset_factory import ALL_FEATURES, make_dataset
from training.errors import TrainingError
from training.fitting.checkpoints import Index
from training.report.page import run_page, why_silent
from training.report.sounds import SOUNDS, real_excerpts
from training.runs import METRICS, read_run

CHECKPOINT = Index(steps=(5,))


@pytest.fixture(scope="module")
def player(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a tiny model that hears notes."""
    run_dir = tmp_path_factory.mktemp("player") / "run"
    model = dataclasses.replace(trained_runs.MODEL, hears=("notes",), head="independent")
    trained_runs.run(rolls, run_dir, 1, model=model)
    return run_dir


def test_samples_are_beside_real_windows_and_the_page_is_the_same_again(
    small_run: Path, small_dataset: Path
) -> None:
    html = run_page(str(small_run), str(small_dataset))
    assert run_page(str(small_run), str(small_dataset)) == html
    text = html.decode()
    titles = re.findall(r"<h3>(.*?)</h3>", text)
    assert titles[1::2] == [f"Sample {number}" for number in range(1, SOUNDS + 1)]
    assert all("(validation)" in title for title in titles[::2])
    assert text.count("<audio ") == 2 * SOUNDS
    assert "made from their spectrograms" in text
    last = json.loads(Path(small_run, METRICS).read_bytes().splitlines()[-1])
    assert f"{last['validation_bits']:.3f}" in text


def test_a_model_that_hears_notes_plays_the_scores_of_the_windows(
    player: Path, rolls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.html"
    command = ["report", str(player), "--data", str(rolls), "--html", str(path), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "run"
    titles = re.findall(r"<h3>(.*?)</h3>", path.read_text())
    assert len(titles) == 2 * SOUNDS
    assert titles[1::2] == [f"{title}, as the model plays it" for title in titles[::2]]
    alone = run_page(str(player)).decode()
    assert "<audio" not in alone
    assert "Give --data DATASET for those of a dataset." in alone


def test_real_windows_are_long_and_of_different_recordings(rolls: Path) -> None:
    excerpts = real_excerpts(Dataset(rolls))
    frames = [len(excerpt.log_mel) for excerpt in excerpts]
    names = [excerpt.title.split()[1] for excerpt in excerpts]
    assert set(names) == {"validation-0", "validation-1"}
    assert sum(frames) == 12 + 12 + 12
    for excerpt in excerpts:
        assert len(excerpt.samples) == len(excerpt.log_mel) * ALL_FEATURES.hop_length
        assert excerpt.notes is not None
        assert len(excerpt.notes) == len(excerpt.log_mel)


def test_a_run_says_why_nothing_is_played(small_run: Path, rolls: Path) -> None:
    run, dataset = read_run(small_run), Dataset(rolls)
    deaf = dataclasses.replace(run.model, horizon="strict")
    playing = dataclasses.replace(run.model, hears=("notes",))
    for changed, index, data, reason in (
        (dataclasses.replace(run, function="mine:build"), CHECKPOINT, None, "of your own"),
        (run, Index(), None, "no checkpoint yet"),
        (dataclasses.replace(run, model=deaf), CHECKPOINT, None, "does not generate"),
        (dataclasses.replace(run, model=playing), CHECKPOINT, None, "plays scores"),
    ):
        assert reason in why_silent(changed, index, data)
    assert why_silent(run, CHECKPOINT, None) == ""
    assert why_silent(dataclasses.replace(run, model=playing), CHECKPOINT, dataset) == ""


def test_a_run_that_was_killed_has_a_page(small_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(small_run, tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    with open(run / METRICS, "ab") as file:
        file.write(b'{"step": 13, "bi')
    html = run_page(str(run)).decode()
    assert "after 12 steps" in html
    assert "no checkpoint yet" in html
    (run / METRICS).unlink()
    assert "before its first step" in run_page(str(run)).decode()


def test_a_dataset_of_other_features_is_named(small_run: Path, rolls: Path) -> None:
    with pytest.raises(TrainingError, match="its features differ from those"):
        run_page(str(small_run), str(rolls))


def test_another_dataset_of_the_same_features_is_noticed(
    small_run: Path, small_dataset: Path, tmp_path: Path
) -> None:
    another = make_dataset(tmp_path / "dataset", config=Dataset(small_dataset).config, seed=9)
    text = "The dataset is another one than the run was trained on."
    assert text in run_page(str(small_run), str(another)).decode()


def test_data_go_with_a_run(
    rolls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "x.html")
    assert main(["report", str(rolls), "--data", str(rolls), "--html", path]) == 1
    assert "is a dataset; leave out --data, which is for a run" in capsys.readouterr().err
