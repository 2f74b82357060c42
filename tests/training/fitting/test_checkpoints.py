from __future__ import annotations

import errno
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from schemas import DatasetError, Storage
from training import TrainingError
from training.config import FrameModelConfig
from training.fitting.checkpoints import KEPT, Checkpoints, Index, Validations
from training.models import FrameModel, NegativeLogLikelihood


def model_of(number: float) -> FrameModel:
    """A tiny model with an optimizer, whose weights are all `number`."""
    model = FrameModel(FrameModelConfig(n_mels=2, units=(2,), components=1))
    model.build((None, None, 2))
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, number))
    model.compile(keras.optimizers.Adam(), NegativeLogLikelihood())
    return model


def save(checkpoints: Checkpoints, step: int, *bits: float) -> None:
    """A checkpoint of a step whose validations so far were `bits`, the last one at this step."""
    steps = range(step - len(bits) + 1, step + 1)
    checkpoints.save(step, model_of(step), tuple(zip(steps, bits, strict=True)))


def assert_is_whole(checkpoints: Checkpoints, step: int) -> None:
    for variable in checkpoints.load(step).trainable_variables:
        np.testing.assert_array_equal(variable, np.full(variable.shape, step))


def test_latest_and_best_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.index() == Index()
    assert checkpoints.index().latest is None
    bits = (5.0, 4.0, 6.0, 4.0, 4.5, 7.0)
    for step in range(1, 7):
        save(checkpoints, step, *bits[:step])
    assert KEPT == 3
    assert checkpoints.index() == Index((2, 4, 5, 6), 2, tuple(enumerate(bits, start=1)))
    for step in (2, 4, 5, 6):
        assert_is_whole(checkpoints, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index.json",
        *(f"step-0000000{step}.keras" for step in (2, 4, 5, 6)),
    ]


@pytest.mark.parametrize(
    ("validations", "best"),
    [((), 3), (((3, 4.0),), 3), (((3, 4.0), (7, 4.0)), 3), (((3, 4.0), (7, 3.9)), 7)],
)
def test_the_best_is_the_first_of_the_lowest(validations: Validations, best: int) -> None:
    assert Index((3,), 3).with_checkpoint(7, validations).best == best


def test_a_checkpoint_is_a_model_that_keras_loads(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    model = keras.models.load_model(tmp_path / "step-00000001.keras")
    assert model.get_config() == model_of(1).get_config()


@pytest.mark.parametrize("breaks", ["save", "rename", "write_bytes"])
def test_a_save_that_breaks_off_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 5.0)

    def fail(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    owner = {"save": FrameModel, "rename": Path, "write_bytes": Storage}[breaks]
    with monkeypatch.context() as patch:
        patch.setattr(owner, breaks, fail)
        with pytest.raises(KeyboardInterrupt):
            save(checkpoints, 2, 5.0, 4.0)
    again = Checkpoints(tmp_path)
    assert (again.index().latest, again.index().best) == (1, 1)
    assert_is_whole(again, 1)
    assert len(list(tmp_path.iterdir())) == 2
    save(again, 2, 5.0, 4.0)
    assert again.index().best == 2
    assert_is_whole(again, 2)


def test_what_a_killed_save_left_is_removed_by_the_next(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    for name in (".tmp-step-00000002.keras", "step-00000002.keras"):
        (tmp_path / name).write_bytes(b"PK half")
    assert Checkpoints(tmp_path).index().latest == 1
    save(checkpoints, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index.json",
        "step-00000001.keras",
        "step-00000003.keras",
    ]


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_broken_save_leaves_nothing_and_files_of_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1, 5.0)
    (tmp_path / "notes.txt").touch()
    before = sorted(tmp_path.iterdir())

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(DatasetError, match="cannot be written: no space left on device"):
            save(checkpoints, 2, 5.0, 4.0)
    assert sorted(tmp_path.iterdir()) == before
    save(checkpoints, 2, 5.0, 4.0)
    assert (tmp_path / "notes.txt").exists()


def damages(path: Path) -> list[bytes]:
    """A checkpoint's file that is no archive, was cut short, or has one wrong byte of weights."""
    data = path.read_bytes()
    middle = data.index(b"model.weights.h5") + (len(data) // 2)
    flipped = data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
    return [b"PK damaged", data[:-100], flipped]


def test_damage_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 1)
    path = tmp_path / "step-00000001.keras"
    for data in damages(path):
        path.write_bytes(data)
        with pytest.raises(TrainingError, match=f"^{path}: this checkpoint cannot be read: "):
            checkpoints.load(1)
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"index\.json: not an index of checkpoints"):
        checkpoints.index()


def test_another_model_is_rejected(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "step-00000001.keras")
    with pytest.raises(TrainingError, match="does not hold a FrameModel"):
        Checkpoints(tmp_path).load(1)
