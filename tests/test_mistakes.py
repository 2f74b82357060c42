"""The likeliest mistakes, and what each prints: one line that says what, where and what to do."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from musicnet_duet.cli import main
from tests.support.documented import make_documented
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.train import train

WRONG_USAGE = {
    "trian --data dataset --run new": "unknown command 'trian'; did you mean train?",
    "preprocess --input musicnet --outptu new": "unknown option --outptu; did you mean --output?",
    "preprocess --input musicnet": "required: --output; see duet preprocess --help",
    "preprocess --input musicnet --output new --format csv": "'csv' is not one of tfrecord, hdf5",
    "preprocess --input musicnet --output new --features chroma": "'chroma' is not one of log_mel",
    "preprocess --input musicnet --output new --works folder": "'folder' is not one of metadata",
    "preprocess --input musicnet --output new --direct_num_workers 2": "see duet preprocess --help",
    "train --data dataset --run new --steps -5": "--steps: -5 must be a positive integer",
    "train --data dataset --run new --memory-mb 0.5": "--memory-mb: '0.5' is not an integer",
    "train --data dataset --run new --hear chroma": "'chroma' is not one of frequency, time, notes",
    "train --data dataset --run new --learning-rate fast": "'fast' is not a number",
    "evaluate --run run --data dataset --transcriber run": "give --free-running as well",
    "generate --run run --output new.mp3": "'new.mp3' is not the name of a .wav file",
    "generate --run run --output new.wav --prime 1727": "give both or neither",
    "generate --run run --output new.wav --seconds 100000": "at most 86400",
    "generate --run run --output new.wav --temperature 0": "0 must be above 0 and at most 10",
    "generate --run player --output new.wav --score 2303": "give --data with a recording of it",
    "transcribe taken.wav --run run --output new.txt": "'new.txt' is not the name of a .mid file",
}
"""Command lines that exit with 2, before anything is read."""

FAILURES = {
    "preprocess --input nowhere --output new": "nowhere: no such folder; check its name",
    "preprocess --input empty --output new": "holds no files; choose a folder with recordings",
    "preprocess --input papers --output new": "no recording .*, only a.pdf; choose another folder",
    "preprocess --input silent --output new --dry-run": "1 of 1 recordings cannot be used, nothing",
    "preprocess --input twice --output new": "several times, in '.*twice/a', .*; choose one",
    "preprocess --input text.wav --output new": "is a file; name the folder in which it lies",
    "preprocess --input packed --output new": "but musicnet.zip; unpack it: duet unpack packed/mus",
    "preprocess --input packed/musicnet.zip --output new": "is packed; unpack it: duet unpack pack",
    "unpack packed/musicnet.zip --output new": "was cut short .*; download it again",
    "unpack packed/musicnet.zip --output full": "is not empty, .*; name a new folder",
    "unpack text.wav --output new": "is none of .tar .*; choose another file",
    "unpack nothing.zip --output new": "nothing.zip: no such file; check its name",
    "preprocess --input musicnet --output dataset --tail drop": "use --overwrite to replace it",
    "preprocess --input musicnet --output musicnet": "it is the input folder; choose another",
    "preprocess --input musicnet --output full": "is not empty .*; choose an empty or a new folder",
    "preprocess --input musicnet --output new --splits no.csv": "no.csv: no such file; check",
    "preprocess --input musicnet --output dataset/new": "lies within .*/dataset, which is",
    "preprocess --input musicnet --output new --reuse empty": "holds no dataset.json, and so no "
    "finished dataset; name another, or leave out --reuse",
    "preprocess --input musicnet --output new --reuse dataset --preset melnet": "its windows are "
    "others: it has .*n_mels=128.*, and this run .*n_mels=256.*; ask for the same, or leave out "
    "--reuse",
    "preprocess --input musicnet --output new --config no.json": "no.json: no such file; check",
    "inspect dataset --plot taken.png": "taken.png: exists; .* replace it .--overwrite",
    "inspect dataset --windows 99 --plot new.png": "no window 99 in train, which has 4; choose one",
    "inspect damaged": "not a readable Parquet file: .*; find out .* with: duet verify damaged",
    "card musicnet": "no whole dataset here; make one with: duet preprocess",
    "rejects dataset --replay 9 --input musicnet": "'9'; some of those it holds: 1727, 1728",
    "demo-data full": "full: is not empty, .*; name a new folder",
    "train --data musicnet --run new": "dataset here; make one with: duet preprocess",
    "train --data dataset --run run": "holds a run already; go on with it .--resume",
    "train --data dataset --run new --resume": "no run to resume; leave out --resume",
    "train --data dataset --run dataset/run": "is a dataset's own folder; choose another",
    "train --data dataset --run new --memory-mb 1": "is too small: .*; give at least 8 MB",
    "train --data mels --run new --hear notes": "holds no notes and no onsets; .*--features",
    "train --data dataset --run new --model own:build": "no module own; .*PYTHONPATH",
    "train --data dataset --run new --config bad.yaml": "bad.yaml: line 1: model.units='many' must",
    "train --data dataset --run new --config odd.yaml": "model.width is not a setting; choose",
    "evaluate --run nowhere --data dataset": "no run here; make one with: duet train",
    "evaluate --run run --data dataset --checkpoint 77": "no checkpoint 77; choose one of last",
    "evaluate --run run --data dataset --free-running --transcriber run": "hears frequency, and no",
    "generate --run run --output taken.wav": "taken.wav: exists; .* replace it .--overwrite",
    "generate --run run --output new.wav --prime 9 --data dataset": "'9'; some of those it holds",
    "generate --run run --output new.wav --score fugue.mid": "no score; train one that hears notes",
    "generate --run player --output new.wav": "needs a score: .* given as --score, or a composer",
    "generate --run player --output new.wav --score no.mid": "no.mid: cannot be read: No such file",
    "generate --run player --output new.wav --score odd.mid": "MIDI file .*; choose another file",
    "generate --run player --output new.wav --score 9 --data dataset": "'9'; some of those it has",
    "generate --run player --output new.wav --compose run": "composer.json; train a composer with",
    "compare --run run --data dataset --audio text.wav": "cannot be read as audio .*; choose",
    "compare --run run --data dataset --audio no.wav": "no.wav: no such file; check its name",
    "transcribe text.wav --run run --output new.mid": "no transcriber here; make one with: duet",
    "train-transcriber --data dataset --run run": "holds a run already; choose another --run",
    "compose --run run --output new.mid": "composer.json; train a composer with: duet",
    "train-composer --data dataset --run new --midi empty": "no .mid or .midi file; choose another",
    "ablation --data dataset --out full": "full: holds something else; choose an empty folder",
}
"""Commands that exit with 1."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, datasets and runs, and files that are not what their names say."""
    root = tmp_path_factory.mktemp("mistakes")
    make_documented(root)
    train(
        str(root / "dataset"),
        str(root / "player"),
        FrameModelConfig(units=(4,), hears=("notes",)),
        TrainingConfig(batch_size=4),
        LoopConfig(steps=1),
    )
    for name in ("twice", "silent", "papers", "packed", "empty", "full"):
        (root / name).mkdir()
    for name in ("a", "b"):
        shutil.copytree(root / "musicnet", root / "twice" / name)
    (root / "papers" / "a.pdf").touch()
    (root / "packed" / "musicnet.zip").write_bytes(b"PK")
    (root / "silent" / "song.mp3").touch()
    (root / "full" / "x").touch()
    for name in ("taken.wav", "taken.png"):
        (root / name).touch()
    for name in ("text.wav", "odd.mid"):
        (root / name).write_text("neither sound nor notes")
    (root / "bad.yaml").write_text("model: {units: many}\n")
    (root / "odd.yaml").write_text("model: {width: 3}\n")
    made = f"preprocess --input {root}/musicnet --output {root}/mels --features log_mel"
    assert main(made.split()) == 0
    shutil.copytree(root / "mels", root / "damaged")
    (root / "damaged" / "recordings.parquet").write_bytes(b"PAR1")
    return root


@pytest.mark.parametrize(
    ("command", "said", "status"),
    [(command, said, 2) for command, said in WRONG_USAGE.items()]
    + [(command, said, 1) for command, said in FAILURES.items()],
    ids=[*WRONG_USAGE, *FAILURES],
)
def test_a_mistake_is_answered_in_a_line_that_says_what_to_do(
    command: str,
    said: str,
    status: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert main(shlex.split(command)) == status
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(said, errors[0])
    assert sorted(folder.iterdir()) == before
