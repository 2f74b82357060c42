from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import Dataset, DatasetError
from tests.support.documents import blocks
from training import TrainingError
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.runs import Run
from training.settings import FUNCTION, SECTIONS, Settings, names_of
from training.settings_file import read_settings

YAML = """\
# A model for a large dataset.
model:
  recurrent: lstm
  units: [12, 8]
training:
  learning_rate: 4e-3   # PyYAML's own rules make a text of this.
  decay_steps: null
loop:
"""
VALUES = {
    "model": {"recurrent": "lstm", "units": [12, 8]},
    "training": {"learning_rate": 4e-3, "decay_steps": None},
    "loop": {},
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", YAML),
        ("a.YML", YAML),
        ("a.json", json.dumps(VALUES)),
        ("b.yaml", "\ufeff" + YAML),
    ],
)
def test_a_file_gives_its_settings(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_settings(str(tmp_path / name)) == VALUES


def test_a_file_of_all_settings_gives_them(tmp_path: Path) -> None:
    values: dict[str, dict[str, Any]] = {
        "model": {"hears": ["frequency"], "horizon": "strict", "recurrent": "rnn", "units": [3],
                  "head": "independent", "components": 2, "noise": 0.5, "dropout": 0.1,
                  "mixed_precision": True},
        "training": {"batch_size": 2, "learning_rate": 1e-5, "warmup_steps": 4, "decay_steps": 9,
                     "clip_norm": 2.0, "gain_db": 3.0, "ema": 0.5, "deterministic": True,
                     "seed": 7},
        "loop": {"steps": 8, "validation_interval": 2, "memory_bytes": 10**7, "patience": 3},
    }  # fmt: skip
    assert {section: list(names) for section, names in values.items()} == {
        section: [name for name in names_of(section) if name != FUNCTION] for section in SECTIONS
    }
    for name, text in (("a.yaml", yaml.safe_dump(values)), ("a.json", json.dumps(values))):
        (tmp_path / name).write_text(text)
        settings = Settings().changed(read_settings(str(tmp_path / name)))
        found = json.loads(json.dumps(dataclasses.asdict(settings)))
        for section, expected in values.items():
            assert {name: found[section][name] for name in expected} == expected


def test_the_file_in_the_documents_is_one(tmp_path: Path) -> None:
    (text,) = [each.text for each in blocks("docs/models.md") if each.language == "yaml"]
    (tmp_path / "a.yaml").write_text(text)
    settings = Settings().changed(read_settings(str(tmp_path / "a.yaml")))
    assert settings == Settings(
        FrameModelConfig(units=(512, 512), dropout=0.1),
        TrainingConfig(batch_size=16, learning_rate=2e-3, seed=1),
        LoopConfig(steps=20_000, validation_interval=500, patience=10),
    )


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    for text in ("", "# nothing yet\n", "model:\ntraining:\n"):
        (tmp_path / "a.yaml").write_text(text)
        assert Settings().changed(read_settings(str(tmp_path / "a.yaml"))) == Settings()


@pytest.mark.parametrize("name", ["run.json", "run.yaml"])
def test_the_file_of_a_run_gives_what_it_was_started_with(
    small_dataset: Path, tmp_path: Path, name: str
) -> None:
    model, training = FrameModelConfig(units=(6, 5), noise=0), TrainingConfig(seed=5, ema=0.5)
    loop = LoopConfig(steps=7, patience=2)
    (tmp_path / name).write_bytes(Run.of(Dataset(small_dataset), model, training, loop).to_json())
    found = Settings().changed(read_settings(str(tmp_path / name)))
    assert found == Settings(model, training, loop)


WRONG: dict[str, dict[str, str]] = {
    "a.yaml": {
        "model:\n  unitz: [8]": "line 2: model.unitz is not a setting; did you mean units?",
        "model:\n  xyz: 1": "line 2: model.xyz is not a setting; choose from hears, horizon, "
        "recurrent, units, head, components, noise, dropout, mixed_precision",
        "modle: {}": "line 1: modle is not a section; did you mean model?",
        "\nsteps: 9": "line 2: steps is not a section; choose from model, training, loop",
        "7: 8": "line 1: 7 is not a section; choose from model, training, loop",
        "model:\n  units: 8": "line 2: model.units=8 must be a list of integers",
        "model:\n  noise: loud": "line 2: model.noise='loud' must be a number from 0 to 10",
        "model:\n  mixed_precision: 1": "line 2: model.mixed_precision=1 must be True or False",
        "loop:\n  steps: 1e4": "line 2: loop.steps=10000.0 must be an integer from 1 to 2147483647",
        "training:\n\n  seed: yes": "line 3: training.seed=True must be an integer from 0 to "
        "2147483647",
        "training:\n  gain_db: .nan": "line 2: training.gain_db=nan must be a number from 0 to 60",
        "model: gru": "line 1: model holds 'gru' instead of names and their values; the names are "
        "hears, horizon, recurrent, units, head, components, noise, dropout, mixed_precision",
        "- model": "the file holds ['model'] instead of names and their values; the names are "
        "model, training, loop",
        "loop:\n  steps: 4\n  steps: 5": "line 3: 'steps' is given twice; remove one of them",
        "loop:\nmodel:\nloop:": "line 3: 'loop' is given twice; remove one of them",
        "loop: {steps: 3": "line 1, column 16: is not YAML: expected ',' or '}', but got '<stream "
        "end>'; correct it there",
        "loop:\n\tsteps: 3": "line 2, column 1: is not YAML: found character '\\t' that cannot "
        "start any token; correct it there",
        "a: !!python/object:os.x {}": "line 1, column 4: is not YAML: could not determine a "
        "constructor for the tag 'tag:yaml.org,2002:python/object:os.x'; correct it there",
        "a: 2001-99-99": "is not YAML: month must be in 1..12",
        "a: !!bool x": "is not YAML: 'x'; correct it",
        "a: !!int ''": "is not YAML: string index out of range; correct it",
        "[" * 1_000: "is not YAML: is nested too deeply; correct it",
        "model:\n  seed: 4\ntraining:\n  seed: 5": "line 2: model.seed is 4 and training.seed 5; a "
        "model has the seed of its training, so leave out model.seed",
        "model:\n  n_mels: -1": "line 2: model.n_mels=-1 must be an integer from 1 to 65536",
        "version: 9": "line 1: has version 9 of a run's format, and this is version 2; remove "
        "version, and check the settings",
    },
    "a.json": {
        "": "line 1, column 1: is not JSON: Expecting value; correct it there",
        '{"loop":\n 3': "line 2, column 3: is not JSON: Expecting ',' delimiter; correct it there",
        '{"loop": {"steps": 3, "steps": 4}}': "'steps' is given twice; remove one of them",
        '{"loop": {"stepz": 3}}': "loop.stepz is not a setting; did you mean steps?",
        '{"training": {"ema": NaN}}': "training.ema=nan must be a number from 0 to 0.99999",
        "[" * 100_000: "is not JSON: maximum recursion depth exceeded",
        "[]": "the file holds [] instead of names and their values; the names are model, "
        "training, loop",
    },
    "a.txt": {"": "must be a file whose name ends in .yaml, .yml, .json"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [(name, text, message) for name, cases in WRONG.items() for text, message in cases.items()],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        read_settings(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_other_files_are_errors_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("model: {}  # für".encode("latin-1"))
    with pytest.raises(TrainingError, match=r"latin\.yaml: is not UTF-8: .*; save it as UTF-8$"):
        read_settings(str(tmp_path / "latin.yaml"))
    for missing in (tmp_path / "no.yaml", tmp_path / "no" / "a.json"):
        with pytest.raises(DatasetError, match=f"^{missing}: no such file"):
            read_settings(str(missing))


def test_settings_change_one_by_one() -> None:
    given: dict[str, dict[str, Any]] = {"model": {"units": (4,)}, "training": {}, "loop": {}}
    changed = Settings(training=TrainingConfig(seed=3)).changed(given)
    assert changed == Settings(FrameModelConfig(units=(4,)), TrainingConfig(seed=3))
