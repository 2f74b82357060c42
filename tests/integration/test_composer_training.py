from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schemas import Dataset
from tests.support.composers import SMALL, SOON
from tests.support.dataset_factory import CONFIG, make_dataset
from training import TrainingError
from training.composing.midi_rolls import MidiWindows
from training.composing.runs import load_composer
from training.composing.train import train_composer, training_batches
from training.composing.windows import open_rolls
from training.midi import Note, write_midi


def test_a_run_explains_itself_and_its_model_is_that_of_the_seed(
    rolls: Path, composer_run: Path, tmp_path: Path
) -> None:
    said = json.loads((composer_run / "composer.json").read_text())
    assert said["fingerprint"] == Dataset(rolls).manifest.fingerprint
    assert (said["model"]["units"], said["training"]["steps"], said["midi_files"]) == (8, 4, 0)
    lines = [json.loads(each) for each in (composer_run / "metrics.jsonl").open()]
    assert [each["step"] for each in lines] == [1, 2, 3, 4]
    result = train_composer(str(rolls), str(tmp_path / "again"), SMALL, SOON)
    assert result.bits == lines[-1]["bits"]
    assert result.validation_bits == said["validation_bits"]
    for name in ("composer.json", "metrics.jsonl"):
        assert (composer_run / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    models = [load_composer(str(each))[1] for each in (composer_run, tmp_path / "again")]
    for one, same in zip(*(each.get_weights() for each in models), strict=True):
        np.testing.assert_array_equal(one, same)


def test_the_run_has_the_averaged_weights_and_other_seeds_have_others(
    rolls: Path, composer_run: Path, tmp_path: Path
) -> None:
    other = dataclasses.replace(SOON, seed=1)
    train_composer(str(rolls), str(tmp_path / "run"), SMALL, other)
    run, model = load_composer(str(tmp_path / "run"))
    assert run.model.seed == run.training.seed == 1
    mine, _ = load_composer(str(composer_run))
    assert mine.frames_per_second == run.frames_per_second == 1_000
    assert (model.get_weights()[0] != load_composer(str(composer_run))[1].get_weights()[0]).any()


def test_windows_are_transposed_by_an_interval_within_the_octave(rolls: Path) -> None:
    """Each row is the reader's window, shifted by one of twelve intervals, and not all alike."""
    config = dataclasses.replace(SMALL, pitches=(0, 127))
    (reader,) = open_rolls(Dataset(rolls), ["train"], batch_size=4, memory_bytes=64_000_000)
    batches = training_batches(reader, MidiWindows([], reader.dataset.config), SOON, config)
    plain = iter(reader)
    shifts = []
    for states, targets, weights in batches.take(8):
        notes = next(plain)["notes"]
        np.testing.assert_array_equal(states[:, 1:], targets)
        assert weights.shape == targets.shape[:2]
        for row, before in zip(states.numpy() > 0, notes, strict=True):
            # Random bits may have an onset without a note; silence says which rows to compare.
            found = [shift for shift in range(-6, 6) if (row | ~_shifted(before, shift)).all()]
            shifts += found[:1]
    assert len(shifts) == 8 * 4
    assert len(set(shifts)) > 3


def _shifted(notes: np.ndarray, semitones: int) -> np.ndarray:
    moved = np.zeros(notes.shape, bool)
    for pitch in range(128):
        if 0 <= pitch + semitones < 128:
            moved[:, pitch + semitones] = notes[:, pitch] == 1
    return moved


def test_midi_files_are_mixed_in_by_their_number_of_windows(rolls: Path) -> None:
    (reader,) = open_rolls(Dataset(rolls), ["train"], batch_size=4, memory_bytes=64_000_000)
    config = reader.dataset.config
    long = Note(0.0, len(reader) * config.window_frames / config.frames_per_second, 127)
    midi = MidiWindows([[long]], config)
    assert len(midi) == len(reader)
    alone = dataclasses.replace(SMALL, pitches=(80, 127))
    batches = training_batches(reader, midi, SOON, alone).take(60)
    few = [float(tf.reduce_mean(tf.cast(states > 0, tf.float32))) < 0.1 for states, *_ in batches]
    assert 15 < sum(few) < 45


def test_a_folder_of_midi_files_is_part_of_the_training(rolls: Path, tmp_path: Path) -> None:
    (tmp_path / "midi" / "deep").mkdir(parents=True)
    (tmp_path / "midi" / "deep" / "a.MID").write_bytes(write_midi([Note(0, 0.03, 60)]))
    result = train_composer(
        str(rolls), str(tmp_path / "run"), SMALL, SOON, midi=str(tmp_path / "midi")
    )
    assert result.midi_windows == 3
    assert load_composer(str(tmp_path / "run"))[0].midi_files == 1


def test_what_cannot_be_trained_is_an_error_before_training(rolls: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "composer.json").write_text("{}")
    with pytest.raises(TrainingError, match="holds a run already; choose another run_dir"):
        train_composer(str(rolls), str(tmp_path / "run"), SMALL, SOON)
    with pytest.raises(TrainingError, match="is a dataset's own folder; choose another"):
        train_composer(str(rolls), str(rolls / "run"), SMALL, SOON)
    with pytest.raises(TrainingError, match=r"holds no \.mid or \.midi file"):
        train_composer(str(rolls), str(tmp_path / "new"), SMALL, SOON, midi=str(tmp_path))
    silent = make_dataset(tmp_path / "silent", config=CONFIG)
    with pytest.raises(TrainingError, match="holds no notes and no onsets; make it again"):
        train_composer(str(silent), str(tmp_path / "new"), SMALL, SOON)
    assert not (tmp_path / "new").exists()


def test_a_loss_that_is_not_finite_ends_the_training_and_leaves_nothing(
    rolls: Path, tmp_path: Path
) -> None:
    diverging = dataclasses.replace(SOON, learning_rate=1e38)
    with pytest.raises(TrainingError, match=r"the loss of step \d is not finite; train again"):
        train_composer(str(rolls), str(tmp_path / "run"), SMALL, diverging)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("composer.json", None, "holds no composer.json; train a composer with: duet train-comp"),
        ("composer.json", "{}", "is not of a composer: it was edited or damaged"),
        ("composer.json", "[", "is not of a composer: it was edited or damaged"),
        ("model.keras", "PK", "model.keras: cannot be read: .*; train another composer"),
    ],
)
def test_a_damaged_run_is_an_error_that_names_the_file(
    composer_run: Path, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    shutil.copytree(composer_run, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    if text is not None:
        (tmp_path / "run" / name).write_text(text)
    with pytest.raises(TrainingError, match=message):
        load_composer(str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2', "has version 2, and this program reads 1"),
        ('"units": 8', '"units": 9', "is not the composer of this run"),
        ('"units": 8', '"units": 0', "composer.json: units=0 must be an integer"),
        ('"steps": 4', '"steps": "4"', "composer.json: steps='4' must be an integer"),
    ],
)
def test_an_edited_run_is_an_error(
    composer_run: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    shutil.copytree(composer_run, tmp_path / "run")
    path = tmp_path / "run" / "composer.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(TrainingError, match=message):
        load_composer(str(tmp_path / "run"))
