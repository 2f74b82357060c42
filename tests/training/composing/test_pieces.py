from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from musicnet_duet.command import as_json
from musicnet_duet.outputs import OutputError
from training import TrainingError
from training.composing import compose
from training.composing.pieces import PieceOptions, compose_piece
from training.composing.runs import load_composer
from training.midi import read_midi, write_midi
from training.rolls import notes_of_rolls


def contents(midi: Path) -> list[bytes]:
    return [midi.with_suffix(suffix).read_bytes() for suffix in (".mid", ".png", ".json")]


def test_the_same_seed_makes_the_same_files_and_json_says_what_made_them(
    composer_run: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "1" / "x.mid", tmp_path / "2" / "x.mid"
    for output in (first, second):
        output.parent.mkdir()
        said = compose_piece(str(composer_run), PieceOptions(output=output, seconds=0.3, seed=2))
    assert contents(first) == contents(second)
    assert json.loads(first.with_suffix(".json").read_text()) == json.loads(as_json(said))
    run, model = load_composer(str(composer_run))
    rolls = compose(model, 300, seeds=[2])
    notes = notes_of_rolls(rolls[0][0], rolls[1][0], run.frames_per_second)
    assert said.notes == len(notes) > 0
    assert read_midi(first.read_bytes()) == read_midi(write_midi(notes))


@pytest.mark.parametrize("existing", ["x.mid", "x.png", "x.json"])
def test_files_that_exist_are_replaced_on_request_only(
    composer_run: Path, tmp_path: Path, existing: str
) -> None:
    (tmp_path / existing).write_text("mine")
    options = PieceOptions(output=tmp_path / "x.mid", seconds=0.1)
    with pytest.raises(OutputError, match=rf"{existing}: exists; .* \(overwrite=True\)"):
        compose_piece(str(composer_run), options)
    assert [each.name for each in tmp_path.iterdir()] == [existing]
    compose_piece(str(composer_run), dataclasses.replace(options, overwrite=True))
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seconds": 0}, "seconds=0 must be a number from 0.1 to 3600"),
        ({"temperature": 11}, "temperature=11 must be a number from 0.0001 to 10"),
        ({"seed": -1}, "seed=-1 must be an integer from 0 to"),
        ({"output": Path("x.wav")}, "output=x.wav must be the name of a .mid file"),
    ],
)
def test_impossible_requests_are_errors(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        PieceOptions(**{"seconds": 1, "output": Path("x.mid"), **values})
