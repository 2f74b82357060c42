from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.support.dataset_factory import CONFIG, make_dataset
from training import open_dataset
from training.config import FrameModelConfig
from training.fitting.templates import fit_templates
from training.models import FrameModel
from training.reading.reader import Reader

FEATURES = ("log_mel", "notes", "onsets")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    config = dataclasses.replace(CONFIG, features=FEATURES)
    folder = make_dataset(tmp_path_factory.mktemp("notes") / "dataset", config=config)
    return open_dataset(folder, "train", batch_size=2, features=FEATURES)


def fitted(reader: Reader) -> FrameModel:
    model = FrameModel(FrameModelConfig(n_mels=CONFIG.n_mels, units=(3,), hears=("notes",)))
    statistics = reader.dataset.manifest.statistics
    assert statistics is not None
    model.set_statistics(statistics.mean, statistics.std)
    before = {variable.path: variable.numpy() for variable in model.variables}
    fit_templates(model, reader)
    changed = {
        variable.path.split("/")[-2]
        for variable in model.variables
        if (variable.numpy() != before[variable.path]).any()
    }
    assert changed == {"templates"}
    return model


def test_templates_alone_are_fitted_and_come_nearer_to_the_levels(reader: Reader) -> None:
    def distance(model: FrameModel) -> float:
        batch = next(reader.in_order())
        suggested = model.suggest(batch["notes"], batch["onsets"]).numpy()
        differences = np.abs(suggested - model.hearing(batch["log_mel"]).numpy())
        return float(differences[batch["weights"] > 0].mean())

    fresh = FrameModel(FrameModelConfig(n_mels=CONFIG.n_mels, units=(3,), hears=("notes",)))
    statistics = reader.dataset.manifest.statistics
    assert statistics is not None
    fresh.set_statistics(statistics.mean, statistics.std)
    assert distance(fitted(reader)) < 0.9 * distance(fresh)


def test_fitting_again_gives_the_same_weights(reader: Reader) -> None:
    one, other = (fitted(reader).templates.get_weights() for _ in range(2))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_padding_counts_nothing(reader: Reader, tmp_path: Path) -> None:
    """Frames after the end of a recording have the lowest level; the background is not theirs."""
    config = dataclasses.replace(CONFIG, features=FEATURES)
    frames = {"train": (5, 5, 5), "validation": (70,), "test": (70,)}
    short = open_dataset(
        make_dataset(tmp_path / "short", config=config, frames=frames),
        "train",
        batch_size=2,
        features=FEATURES,
    )
    model = fitted(short)
    batch = next(short.in_order())
    assert batch["log_mel"][batch["weights"] == 0].max() < batch["log_mel"][:, :5].min()
    background = model.suggest(np.zeros((1, 1, 128)), np.zeros((1, 1, 128))).numpy()
    levels = np.asarray(model.hearing.to_db(background))
    assert levels.min() > config.floor_db + 10
