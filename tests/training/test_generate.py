from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
import tensorflow as tf

from schemas import Dataset
from training import TrainingError
from training.generate import GenerationOptions, generate


def contents(wav: Path) -> list[bytes]:
    return [wav.with_suffix(suffix).read_bytes() for suffix in (".wav", ".png", ".json")]


def test_the_same_seed_makes_the_same_files(small_run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "x.wav", tmp_path / "2" / "x.wav"
    for output in (first, second):
        generate(str(small_run), GenerationOptions(1.5, output))
    assert contents(first) == contents(second)
    other = tmp_path / "other.wav"
    generate(str(small_run), GenerationOptions(1.5, other, seed=1))
    assert other.read_bytes() != first.read_bytes()


def test_provenance_says_what_made_it(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.wav"
    request = GenerationOptions(
        1.5, output, seed=7, temperature=0.5, data=str(small_dataset), prime="test-1"
    )
    said = generate(str(small_run), request)
    assert json.loads(output.with_suffix(".json").read_text()) == said
    assert (said["seed"], said["temperature"], said["primed_by"]) == (7, 0.5, "test-1")
    assert said["dataset_fingerprint"] == Dataset(small_dataset).manifest.fingerprint
    assert said["checkpoint"] == f"step-{said['step']:08d}"
    assert soundfile.info(output).frames == 1.5 * said["features"]["sample_rate"]


def test_provenance_names_tensorflow_whichever_distribution_brings_it(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tensorflow-cpu` installs the module under the same name."""
    installed = importlib.metadata.version

    def version(name: str) -> str:
        if name == "tensorflow":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    said = generate(str(small_run), GenerationOptions(0.5, tmp_path / "x.wav"))
    assert said["packages"]["tensorflow"] == tf.__version__


def test_priming_changes_the_sample(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    written = []
    for prime in ("test-0", "train-0"):
        output = tmp_path / f"{prime}.wav"
        generate(
            str(small_run), GenerationOptions(0.5, output, data=str(small_dataset), prime=prime)
        )
        written.append(output.read_bytes())
    assert written[0] != written[1]


def test_unknown_recording_is_an_error_that_names_some(
    small_run: Path, small_dataset: Path, tmp_path: Path
) -> None:
    request = GenerationOptions(1, tmp_path / "x.wav", data=str(small_dataset), prime="9")
    with pytest.raises(TrainingError, match=r"holds no recording '9'; some .*: test-0, test-1"):
        generate(str(small_run), request)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seconds": 0}, "seconds=0 must be positive"),
        ({"temperature": 0}, "temperature=0 must be above 0"),
        ({"seed": -1}, "seed=-1 must not be negative"),
        ({"output": Path("x.mp3")}, "must be the name of a .wav file"),
        ({"prime": "1"}, "--prime and --data belong together"),
    ],
)
def test_impossible_requests_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        GenerationOptions(**{"seconds": 1, "output": Path("x.wav"), **values})
