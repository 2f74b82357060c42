"""Runs of models that hear other things than the spectrogram: trained, scored, and made to play."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicnet_duet.outputs import OutputError
from tests.support.dataset_factory import CONFIG, make_dataset
from tests.support.trained_runs import assert_same_run
from training import TrainingError
from training.composing.config import ComposerConfig, ComposerTraining
from training.composing.pieces import PieceOptions, compose_piece
from training.composing.train import train_composer
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.evaluate import evaluate
from training.free_running import free_running
from training.generate import FADING_SECONDS, GenerationOptions, generate
from training.horizon import HEARD
from training.midi import Note, read_midi, write_midi
from training.playing import NOTES, PEAKS, STARTS
from training.reports import free_running_lines
from training.train import train
from training.transcription.config import TranscriberConfig
from training.transcription.train import train_transcriber

FRAMES = {"train": (140, 150), "validation": (70,), "test": (140, 90)}
"""Test recordings of 140 and 90 frames make windows of 70, 70, 70 and 20 frames."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = dataclasses.replace(CONFIG, features=("log_mel", "waveform", "notes", "onsets"))
    folder = tmp_path_factory.mktemp("conditions") / "dataset"
    return str(make_dataset(folder, config=config, frames=FRAMES))


def trained(
    data: str,
    folder: Path,
    *hears: str,
    steps: int = 2,
    horizon: str = "overlap",
    resume: bool = False,
) -> str:
    model = FrameModelConfig(units=(4,), hears=hears, horizon=horizon)
    training = TrainingConfig(batch_size=2, gain_db=3.0, deterministic=True, decay_steps=4)
    loop = LoopConfig(steps=steps, validation_interval=2)
    train(data, str(folder), model, training, loop, resume=resume)
    return str(folder)


@pytest.fixture(scope="module")
def player(data: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of a model that hears notes."""
    return trained(data, tmp_path_factory.mktemp("player") / "run", "frequency", "notes")


def test_a_resumed_run_is_the_same_whatever_is_heard(data: str, tmp_path: Path) -> None:
    trained(data, tmp_path / "whole", *HEARD, steps=4)
    trained(data, tmp_path / "resumed", *HEARD, steps=2)
    trained(data, tmp_path / "resumed", *HEARD, steps=4, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "resumed")


def test_those_frames_are_scored_whose_horizon_is_stored(data: str, tmp_path: Path) -> None:
    """Strictly: a span of 256 samples that ends 128 before sample 64 t begins at 0 for t = 6."""
    run = trained(data, tmp_path / "run", "frequency", "time", "notes", horizon="strict")
    result = evaluate(run, data)
    assert result.frames == 3 * (70 - 6 - 2) + (20 - 6)
    assert set(result.bits) >= {"model", "linear_chain"}
    assert np.isfinite(list(result.bits.values())).all()


def test_a_model_plays_the_notes_of_a_midi_file(player: str, tmp_path: Path) -> None:
    score = tmp_path / "x.mid"
    score.write_bytes(write_midi([Note(0.0, 0.5, 60), Note(0.5, 0.9, 64)]))
    said = generate(player, GenerationOptions(output=tmp_path / "x.wav", score=str(score)))
    assert said.score == str(score)
    seconds = 0.9 + FADING_SECONDS
    assert said.seconds == pytest.approx(seconds, abs=2 / CONFIG.frames_per_second)
    assert soundfile.info(tmp_path / "x.wav").duration == pytest.approx(said.seconds, abs=1e-3)
    provenance = json.loads((tmp_path / "x.json").read_text())
    assert (provenance["score"], provenance["primed_by"]) == (str(score), None)
    short = GenerationOptions(seconds=0.7, output=tmp_path / "short.wav", score=str(score))
    assert generate(player, short).seconds == 0.7


def test_a_model_plays_what_a_composer_makes_up(player: str, data: str, tmp_path: Path) -> None:
    composer = str(tmp_path / "composer")
    config = ComposerConfig(units=4, channels=4)
    train_composer(data, composer, config, ComposerTraining(steps=1, batch_size=2))
    options = GenerationOptions(seconds=2.0, output=tmp_path / "x.wav", composer=composer, seed=3)
    said = generate(player, options)
    assert (said.composed_by, said.score, said.seconds) == (composer, None, 2.0)
    provenance = json.loads((tmp_path / "x.json").read_text())
    assert provenance["composed_by"] == composer
    run = json.loads((Path(composer) / "composer.json").read_text())
    del run["version"]
    assert provenance["composer"] == run
    alone = PieceOptions(seconds=2.0, output=tmp_path / "alone.mid", seed=3)
    compose_piece(composer, alone)
    heard, composed = (
        {(each.start, each.pitch) for each in read_midi(path.read_bytes())}
        for path in (tmp_path / "x.mid", alone.output)
    )
    assert composed
    assert composed <= heard
    (tmp_path / "taken.mid").touch()
    with pytest.raises(OutputError, match=r"taken\.mid: exists"):
        generate(player, dataclasses.replace(options, output=tmp_path / "taken.wav"))


def test_a_composer_of_other_frames_is_named(
    player: str, composer_run: Path, tmp_path: Path
) -> None:
    options = GenerationOptions(output=tmp_path / "x.wav", composer=str(composer_run))
    with pytest.raises(TrainingError, match=r"frames are .* s, and those of the model 0\.0160 s"):
        generate(player, options)


def test_a_player_is_judged_with_the_scores_of_the_held_out_music(player: str, data: str) -> None:
    found = free_running(player, data)
    assert found.judgments["model"].windows == 3
    assert found.playing is not None
    assert found.playing.windows == 3
    assert "F of onsets within 50 ms" in "\n".join(free_running_lines(found))


def test_a_transcriber_listens_to_what_is_played(player: str, data: str, tmp_path: Path) -> None:
    transcriber = str(tmp_path / "transcriber")
    train_transcriber(data, transcriber, TranscriberConfig(model="linear", steps=1, batch_size=2))
    found = free_running(player, data, transcriber=transcriber)
    assert found.playing is not None
    assert list(found.playing.onsets) == [PEAKS, STARTS, NOTES]
    values = [dataclasses.astuple(each) for each in found.playing.onsets.values()]
    assert np.isfinite(values).all()
    deaf = trained(data, tmp_path / "deaf", "frequency")
    with pytest.raises(TrainingError, match="plays no score that a transcriber could hear"):
        free_running(deaf, data, transcriber=transcriber)


def test_a_transcriber_of_other_features_is_named(player: str, data: str, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, amin=1e-9, features=("log_mel", "notes", "onsets"))
    other = str(make_dataset(tmp_path / "other", config=config, frames=FRAMES))
    transcriber = str(tmp_path / "transcriber")
    train_transcriber(other, transcriber, TranscriberConfig(model="linear", steps=1, batch_size=2))
    with pytest.raises(TrainingError, match="was trained on other features than the model"):
        free_running(player, data, transcriber=transcriber)


def test_what_does_not_go_together_is_said(
    player: str, data: str, small_dataset: Path, small_run: Path, tmp_path: Path
) -> None:
    output = tmp_path / "x.wav"
    with pytest.raises(TrainingError, match="plays notes, so it needs a score"):
        generate(player, GenerationOptions(output=output))
    with pytest.raises(TrainingError, match=r"x\.mid: the model hears frequency, and no notes"):
        generate(str(small_run), GenerationOptions(output=output, score="x.mid"))
    with pytest.raises(TrainingError, match="holds no notes and no onsets; use the dataset"):
        evaluate(player, str(small_dataset))
    with pytest.raises(TrainingError, match="score='2303': give data with a recording of it"):
        GenerationOptions(output=output, score="2303")
    with pytest.raises(TrainingError, match="prime and score: give one of them"):
        GenerationOptions(output=output, score="x.mid", prime="1", data="d")
    with pytest.raises(TrainingError, match="score and composer: give one of them"):
        GenerationOptions(output=output, score="x.mid", composer="c")
    listener = trained(data, tmp_path / "listener", "time")
    with pytest.raises(TrainingError, match=r"a model that hears time .* cannot generate"):
        generate(listener, GenerationOptions(output=output))
    assert not output.exists()
