from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from musicnet_duet.cli import main
from musicnet_duet.outputs import COMPOSER_FILE, TRANSCRIBER_FILE
from pipelines.report.page import dataset_page
from schemas import Dataset, Storage
from tests.musicnet_duet.test_duet_cli import duet, without


def test_a_dataset_becomes_a_page(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    command = ["report", str(tiny_dataset), "--html", str(path)]
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {
        "target": str(tiny_dataset),
        "kind": "dataset",
        "html": str(path),
        "nbytes": path.stat().st_size,
        "damaged": 0,
    }
    made = path.read_bytes()
    assert main(command) == 1
    message = "page.html: exists; choose another name, or replace it (--overwrite)"
    assert message in capsys.readouterr().err
    path.write_text("mine")
    assert main([*command, "--overwrite"]) == 0
    assert path.read_bytes() == made


def test_a_datasets_own_folder_holds_no_page(
    tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_dataset / "page.html"
    assert main(["report", str(tiny_dataset), "--html", str(path)]) == 1
    assert "is a dataset's own folder" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "neither a dataset (dataset.json) nor a run (run.json); name the folder of one"),
        ([COMPOSER_FILE], "is the run of a composer"),
        ([TRANSCRIBER_FILE], "is the run of a transcriber"),
    ],
)
def test_what_is_neither_is_named(
    files: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("{}")
    assert main(["report", str(folder), "--html", str(tmp_path / "x.html")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {folder}: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "gone"), "--html", str(tmp_path / "x.html")]) == 1
    assert "gone: there is nothing here; neither a dataset" in capsys.readouterr().err


def test_the_name_of_a_page_ends_in_html(
    tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tiny_dataset), "--html", "page.txt"]) == 2
    assert "'page.txt' is not the name of a .html file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "missing",
    [
        ("apache_beam", "keras", "librosa", "mido", "mir_eval", "tensorflow", "yaml"),
        ("apache_beam", "filelock", "soxr"),
    ],
    ids=["pipelines alone", "training alone"],
)
def test_a_page_about_a_dataset_needs_one_half_alone(
    missing: tuple[str, ...], tiny_dataset: Path, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    run = duet("report", tiny_dataset, "--html", path, before=without(*missing))
    assert run.returncode == 0, run.stderr
    assert path.read_bytes().startswith(b"<!DOCTYPE html>")


def test_a_page_about_a_run_says_which_half_it_needs(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    page = tmp_path / "page.html"
    run = duet("report", tmp_path, "--html", page, before=without("tensorflow"))
    assert run.returncode == 1
    assert "report needs tensorflow, which is not installed" in run.stderr
    assert "pip install '.[training]'" in run.stderr


def test_a_dataset_in_a_store_has_the_same_page(tiny_dataset: Path, tmp_path: Path) -> None:
    root = f"memory://{uuid.uuid4().hex}/{tiny_dataset.name}"
    local, store = Storage(tiny_dataset), Storage(root)
    for name in local.list_files():
        store.write_bytes(name, local.read_bytes(name))
    assert dataset_page(Dataset(root)).html == dataset_page(Dataset(tiny_dataset)).html
