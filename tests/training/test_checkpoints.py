from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from schemas import DatasetError, Storage
from training import TrainingError
from training.checkpoints import Checkpoints, Progress

READER = {"epoch": 0, "position": 4}


def save(checkpoints: Checkpoints, step: int, *bits: float) -> None:
    """A checkpoint of a step whose validations so far were `bits`, the last one at this step."""
    steps = range(step - len(bits) + 1, step + 1)
    progress = Progress(step, 0, READER, tuple(zip(steps, bits, strict=True)))
    checkpoints.save(progress, [np.full(3, step)], [np.array(step), np.full((2, 2), step)])


def step_of(checkpoints: Checkpoints, name: str | None) -> int:
    assert name is not None
    progress, weights, optimizer = checkpoints.load(name)
    assert [array.tolist() for array in weights] == [[progress.step] * 3]
    assert [array.shape for array in optimizer] == [(), (2, 2)]
    return progress.step


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 7, 4.5)
    progress, _, _ = checkpoints.load("step-00000007")
    assert progress == Progress(7, 0, READER, ((7, 4.5),))


def test_latest_and_best_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert (checkpoints.latest(), checkpoints.best()) == (None, None)
    save(checkpoints, 1)
    assert step_of(checkpoints, checkpoints.best()) == 1
    save(checkpoints, 2, 5.0)
    save(checkpoints, 3, 5.0, 4.0)
    save(checkpoints, 4, 5.0, 4.0, 6.0)
    assert step_of(checkpoints, checkpoints.latest()) == 4
    assert step_of(checkpoints, checkpoints.best()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index.json",
        "step-00000003",
        "step-00000004",
    ]


@pytest.mark.parametrize("breaks", ["savez", "rename", "write_bytes"])
def test_a_save_that_breaks_off_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 5.0)

    def fail(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    owner = {"savez": np, "rename": Path, "write_bytes": Storage}[breaks]
    with monkeypatch.context() as patch:
        patch.setattr(owner, breaks, fail)
        with pytest.raises(KeyboardInterrupt):
            save(checkpoints, 2, 5.0, 4.0)
    again = Checkpoints(tmp_path)
    assert step_of(again, again.latest()) == 1
    assert step_of(again, again.best()) == 1
    save(again, 2, 5.0, 4.0)
    assert step_of(again, again.best()) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_broken_save_leaves_nothing_and_files_of_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 5.0)
    (tmp_path / "notes.txt").touch()
    before = sorted(tmp_path.iterdir())

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(DatasetError, match="cannot be written: no space left on device"):
            save(checkpoints, 2, 5.0, 4.0)
    assert sorted(tmp_path.iterdir()) == before
    save(checkpoints, 2, 5.0, 4.0)
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize("name", ["arrays.npz", "state.json"])
def test_damage_is_an_error_that_names_the_place(tmp_path: Path, name: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    (tmp_path / "step-00000001" / name).write_bytes(b"PK damaged")
    with pytest.raises(TrainingError, match="step-00000001: this checkpoint cannot be read"):
        checkpoints.load("step-00000001")
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(TrainingError, match="not an index of checkpoints"):
        checkpoints.latest()
