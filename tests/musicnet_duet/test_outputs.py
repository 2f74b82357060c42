from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from musicnet_duet.outputs import OutputError, require_free, write_together
from schemas import DatasetError
from schemas.errors import DuetError


def test_a_new_name_is_free(tmp_path: Path) -> None:
    require_free([tmp_path / "x.wav", tmp_path / "new" / "x.json"], overwrite=False)


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_exists_is_replaced_only_on_request(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"mine") if kind == "file" else path.symlink_to("nowhere")
    with pytest.raises(OutputError, match=r"x\.json: exists; choose another name, or replace it"):
        require_free([tmp_path / "x.wav", path], overwrite=False)
    require_free([path], overwrite=True)


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        require_free([tmp_path / "x.png"], overwrite=True)


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "RUN.json",
        "composer.json",
        "dataset.json",
        "transcriber.json",
        "run/run.json",
        "run/curve.png",
        "run/Curve.PNG",
        "run/checkpoints/x.png",
        "run/checkpoints/step-1/x.png",
        "run/tensorboard/x.png",
        "dataset/x.png",
        "dataset/train/x.png",
        "dataset/labels/new/x.png",
        "link/x.png",
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_runs_and_datasets_are_never_written(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    for owner in ("run/run.json", "dataset/dataset.json"):
        (tmp_path / owner).parent.mkdir()
        (tmp_path / owner).touch()
    (tmp_path / "link").symlink_to("dataset")
    with pytest.raises(OutputError, match="choose another"):
        require_free([tmp_path / name], overwrite=overwrite)


def test_music_may_lie_beside_a_runs_own_files(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    require_free([tmp_path / "x.wav", tmp_path / "music" / "x.wav"], overwrite=False)


def test_all_files_appear(tmp_path: Path) -> None:
    files = {tmp_path / "new" / "x.wav": b"sound", tmp_path / "new" / "x.json": b"text"}
    write_together(files)
    assert {path: path.read_bytes() for path in files} == files
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_none_appears_where_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one's bytes do not reach the disk; the first one existed before."""
    files = {tmp_path / name: b"new" for name in ("x.wav", "x.png", "x.json")}
    (tmp_path / "x.wav").write_bytes(b"old")
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DatasetError, match=r"x\.json: cannot be written: no space left .*; make"):
        write_together(files)
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]
    assert (tmp_path / "x.wav").read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DuetError, match=r"file/x\.wav: cannot be written: "):
        write_together({tmp_path / "file" / "x.wav": b""})
