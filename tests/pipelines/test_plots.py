from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from musicnet_duet.outputs import OutputError
from pipelines.cli import main
from pipelines.errors import PipelineError
from pipelines.plots import draw_windows
from schemas import Dataset, DatasetError


def test_windows_become_a_picture(tiny_dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "windows.png"
    draw_windows(Dataset(tiny_dataset), split="train", positions=[0, 3], path=str(path))
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[1] > 1_000
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 100


def test_a_window_that_is_not_there_is_named(tiny_dataset: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "x.png")
    with pytest.raises(DatasetError, match="no window 999 in train, which has"):
        draw_windows(Dataset(tiny_dataset), split="train", positions=[999], path=path)
    assert not list(tmp_path.iterdir())


def test_a_picture_replaces_nothing_by_accident(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.png"
    path.write_text("mine")
    command = ["inspect", str(tiny_dataset), "--plot", str(path), "--windows", "0"]
    assert main(command) == 1
    assert "x.png: exists; choose another name, or replace it (--overwrite)" in (
        capsys.readouterr().err
    )
    assert path.read_text() == "mine"
    assert main([*command, "--overwrite"]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("dataset.json", PipelineError, r"must have a name that ends in \.png"),
        ("x.pdf", PipelineError, r"must have a name that ends in \.png"),
        ("x.png", OutputError, "is a dataset's own folder"),
        ("train/x.png", OutputError, "is a dataset's own folder"),
    ],
)
def test_a_datasets_folder_holds_no_pictures(
    tiny_dataset: Path, name: str, error: type[Exception], message: str
) -> None:
    before = Dataset(tiny_dataset).storage.list_files()
    path = str(tiny_dataset / name)
    with pytest.raises(error, match=message):
        draw_windows(Dataset(tiny_dataset), split="train", positions=[0], path=path, overwrite=True)
    assert Dataset(tiny_dataset).storage.list_files() == before
