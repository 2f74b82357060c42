"""An ablation, whole: every row is trained, whatever stopped it before."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from tests.support.dataset_factory import CONFIG as FEATURES
from tests.support.dataset_factory import make_dataset
from training.ablation.config import AblationConfig, Row, settings
from training.ablation.run import ablate
from training.errors import TrainingError

CONFIG = AblationConfig(steps=2, units=2, batch_size=4, seeds=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = dataclasses.replace(FEATURES, features=("log_mel", "waveform", "notes", "onsets"))
    folder = tmp_path_factory.mktemp("ablation") / "dataset"
    frames = {"train": (140, 150), "validation": (70,), "test": (140, 90)}
    return str(make_dataset(folder, config=config, frames=frames))


@pytest.fixture(scope="module")
def out(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation") / "out"
    ablate(data, str(folder), CONFIG)
    return folder


def test_all_rows_are_scored_on_the_same_frames(out: Path) -> None:
    """Strictly, a span of 256 samples that ends 128 before sample 64 t begins at 0 for t = 6."""
    scores = [json.loads(path.read_bytes()) for path in out.glob("rows/*/score.json")]
    assert len(settings()) <= len(scores) <= 2 * len(settings())
    whole, rest = 70 - 6 - 2, 20 - 6
    assert {tuple(sorted(each["frames"].values())) for each in scores} == {
        (whole + rest, 2 * whole)
    }
    assert (out / "ablation.png").read_bytes().startswith(b"\x89PNG")
    assert "| gru | frequency + time | strict | time |" in (out / "ablation.md").read_text()


def test_a_row_that_is_lost_is_trained_again_to_the_same_figures(
    data: str, out: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(out, again)
    row = Row(setting=settings()[2], seed=0, steps=CONFIG.steps)
    shutil.rmtree(again / "rows" / row.name)
    ablate(data, str(again), CONFIG)
    one, other = (
        json.loads((each / "rows" / row.name / "score.json").read_bytes()) for each in (out, again)
    )
    assert one["bits"] == other["bits"]


def test_another_ablation_is_not_mixed_in(
    data: str, out: Path, small_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="another dataset or other settings"):
        ablate(data, str(out), dataclasses.replace(CONFIG, steps=3))
    with pytest.raises(TrainingError, match="holds no waveform and no notes and no onsets"):
        ablate(str(small_dataset), str(tmp_path / "x"), CONFIG)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    with pytest.raises(TrainingError, match="holds something else; choose an empty folder"):
        ablate(data, str(tmp_path / "taken"), CONFIG)
