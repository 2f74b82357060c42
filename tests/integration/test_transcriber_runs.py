from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicnet_duet.outputs import OutputError
from schemas import Dataset
from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from training.errors import TrainingError
from training.inversion.audio import audio_to_log_mel, read_audio
from training.midi import write_midi
from training.reading.opening import open_dataset
from training.transcription.config import TranscriberConfig
from training.transcription.decoding import Thresholds, decode
from training.transcription.evaluate import evaluate_transcriber
from training.transcription.predicting import chances_of_sound, hear
from training.transcription.run import TranscriberRun, load_run
from training.transcription.scores import pooled_average_precision
from training.transcription.train import train_transcriber
from training.transcription.transcribe import transcribe

CONFIG = TranscriberConfig(model="gru", hear="both", units=4, steps=3, batch_size=3)
LINEAR = dataclasses.replace(CONFIG, model="linear", hear="frequency")


@pytest.fixture(scope="module")
def run(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    train_transcriber(str(rolls), folder, CONFIG)
    return folder


@pytest.fixture(scope="module")
def linear(rolls: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("runs") / "linear")
    train_transcriber(str(rolls), folder, LINEAR)
    return folder


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    samples = np.random.default_rng(0).normal(0, 0.1, (900, 2))
    soundfile.write(path, samples, ALL_FEATURES.sample_rate * 3, subtype="FLOAT")
    return path


def test_the_same_config_and_data_make_the_same_run(rolls: Path, run: str, tmp_path: Path) -> None:
    again = str(tmp_path / "again")
    train_transcriber(str(rolls), again, CONFIG)
    (first, model), (second, other) = load_run(run), load_run(again)
    assert first == second
    for one, its in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, its)


def test_a_run_says_what_made_it(rolls: Path, run: str) -> None:
    found, _ = load_run(run)
    manifest = Dataset(rolls).manifest
    assert (found.config, found.features) == (CONFIG, manifest.config)
    assert found.fingerprint == manifest.fingerprint
    assert {"keras", "python", "tensorflow"} <= set(found.packages)
    assert TranscriberRun.from_json(found.to_json(), where="x") == found


def test_thresholds_and_precision_are_those_of_validation(rolls: Path, run: str) -> None:
    found, model = load_run(run)
    features = (*CONFIG.inputs, "notes", "onsets")
    heard = hear(model, open_dataset(rolls, "validation", features=features, batch_size=3))
    assert found.validation_average_precision == pytest.approx(pooled_average_precision(heard))
    scores = evaluate_transcriber(run, str(rolls), "validation")
    assert scores.average_precision == pytest.approx(found.validation_average_precision)


def test_every_valid_frame_of_a_split_is_scored(rolls: Path, run: str) -> None:
    scores = evaluate_transcriber(run, str(rolls), "train")
    assert tuple(each.frames for each in scores.recordings) == FEW_FRAMES["train"]
    assert scores.frames == sum(FEW_FRAMES["train"])
    assert scores.same_dataset
    assert not scores.damaged_count


def test_another_dataset_of_the_same_features_is_told_apart(linear: str, tmp_path: Path) -> None:
    other = make_dataset(tmp_path, config=ALL_FEATURES, frames=FEW_FRAMES, seed=1)
    assert not evaluate_transcriber(linear, str(other)).same_dataset


def test_what_is_heard_is_whole_recordings_in_order(
    rolls: Path, linear: str, tmp_path: Path
) -> None:
    """Also where windows overlap."""
    config = dataclasses.replace(ALL_FEATURES, stride_frames=7)
    overlapping = make_dataset(tmp_path / "overlapping", config=config, frames=FEW_FRAMES)
    _, model = load_run(linear)
    features = ("log_mel", "notes", "onsets")
    one, other = (
        hear(model, open_dataset(each, "train", features=features)) for each in (rolls, overlapping)
    )
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name].notes, other[name].notes)
        np.testing.assert_array_equal(one[name].onsets, other[name].onsets)
        assert one[name].note_chances.shape == other[name].note_chances.shape


def test_a_long_sound_is_heard_as_a_whole_by_a_model_of_few_frames(linear: str) -> None:
    """But for the last frames: behind them, windows hold silence."""
    found, model = load_run(linear)
    for length in (3, 40, 47, 500):
        samples = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
        notes, onsets, log_mel = chances_of_sound(model, samples, found.features)
        np.testing.assert_array_equal(log_mel, audio_to_log_mel(samples, found.features))
        logits = model({"log_mel": log_mel[np.newaxis]})
        for heard, name in ((notes, "notes"), (onsets, "onsets")):
            expected = 1 / (1 + np.exp(-logits[name][0].numpy()))
            np.testing.assert_allclose(heard[:-2], expected[:-2], atol=1e-5)


def test_a_transcript_is_midi_with_a_picture_and_provenance(
    run: str, audio: Path, tmp_path: Path
) -> None:
    output = tmp_path / "sound.mid"
    found = transcribe(audio, run, output)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "sound.json", "sound.mid", "sound.png", "sound.wav"]  # fmt: skip
    assert json.loads((tmp_path / "sound.json").read_bytes())["notes"] == found.notes
    assert found.seconds == pytest.approx(900 / 3 / ALL_FEATURES.sample_rate)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="overwrite=True"):
        transcribe(audio, run, output)
    transcribe(audio, run, output, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_the_midi_file_holds_the_notes_that_are_heard(
    linear: str, audio: Path, tmp_path: Path
) -> None:
    lenient = tmp_path / "lenient"
    shutil.copytree(linear, lenient)
    run, model = load_run(linear)
    run = dataclasses.replace(run, thresholds=Thresholds(0.0, 0.0))
    (lenient / "transcriber.json").write_bytes(run.to_json())
    found = transcribe(audio, str(lenient), tmp_path / "sound.mid")
    samples = read_audio(audio, run.features)
    notes, onsets, _ = chances_of_sound(model, samples, run.features)
    expected = decode(notes, onsets, run.thresholds, run.features.frames_per_second)
    assert found.notes == len(expected) > 50
    assert (tmp_path / "sound.mid").read_bytes() == write_midi(expected)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"version": 1}', b'{"version": 2}'])
def test_a_damaged_description_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "transcriber.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"transcriber\.json: "):
        load_run(str(tmp_path))


def test_a_run_that_is_missing_damaged_or_there_already_is_an_error(
    rolls: Path, linear: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="duet train-transcriber --data DATASET --run"):
        load_run(str(tmp_path / "none"))
    shutil.copytree(linear, tmp_path / "damaged")
    (tmp_path / "damaged/model.keras").write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"model\.keras: cannot be loaded"):
        load_run(str(tmp_path / "damaged"))
    with pytest.raises(TrainingError, match="holds a run already; choose another run_dir"):
        train_transcriber(str(rolls), linear, LINEAR)
    with pytest.raises(TrainingError, match="a dataset's own folder"):
        train_transcriber(str(rolls), str(rolls / "run"), LINEAR)


def test_a_dataset_that_does_not_suit_is_an_error(linear: str, tmp_path: Path) -> None:
    config = dataclasses.replace(ALL_FEATURES, features=("log_mel", "notes"))
    lacking = make_dataset(tmp_path / "lacking", config=config, frames=FEW_FRAMES)
    with pytest.raises(TrainingError, match="holds no onsets; make it again with --features"):
        train_transcriber(str(lacking), str(tmp_path / "run"), LINEAR)
    config = dataclasses.replace(ALL_FEATURES, hop_length=8)
    other = make_dataset(tmp_path / "other", config=config, frames=FEW_FRAMES)
    with pytest.raises(TrainingError, match="hop_length is 8 there and 4 in the run"):
        evaluate_transcriber(linear, str(other))


def test_a_midi_file_is_called_mid(linear: str, audio: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"must be the name of a \.mid file"):
        transcribe(audio, linear, tmp_path / "sound.wav")
