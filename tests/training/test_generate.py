from __future__ import annotations

import dataclasses
import errno
import importlib.metadata
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from musicnet_duet.command import as_json
from musicnet_duet.outputs import OutputError
from schemas import Dataset, DatasetError
from training import TrainingError
from training.generate import MIN_SECONDS, GenerationOptions, generate
from training.models.sampling import SamplingConfig


def contents(wav: Path) -> list[bytes]:
    return [wav.with_suffix(suffix).read_bytes() for suffix in (".wav", ".png", ".json")]


def test_the_same_seed_makes_the_same_files(small_run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "x.wav", tmp_path / "2" / "x.wav"
    for output in (first, second):
        generate(str(small_run), GenerationOptions(seconds=1.5, output=output))
    assert contents(first) == contents(second)
    other = tmp_path / "other.wav"
    generate(str(small_run), GenerationOptions(seconds=1.5, output=other, seed=1))
    assert other.read_bytes() != first.read_bytes()


def test_provenance_says_what_made_it(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.wav"
    request = GenerationOptions(
        seconds=1.5, output=output, seed=7, temperature=0.5, data=str(small_dataset), prime="test-1"
    )
    said = generate(str(small_run), request)
    assert json.loads(output.with_suffix(".json").read_text()) == json.loads(as_json(said))
    assert (said.seed, said.temperature, said.primed_by) == (7, 0.5, "test-1")
    sampling = SamplingConfig.for_music(0.5)
    assert (said.noise_level, said.leak) == (sampling.noise_level, sampling.leak)
    assert said.dataset_fingerprint == Dataset(small_dataset).manifest.fingerprint
    assert said.checkpoint == f"step-{said.step:08d}"
    assert soundfile.info(output).frames == 1.5 * said.features["sample_rate"]


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
    said = generate(str(small_run), GenerationOptions(seconds=0.5, output=tmp_path / "x.wav"))
    assert said.packages["tensorflow"] == tf.__version__


def test_priming_changes_the_sample(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    written = []
    for prime in ("test-0", "train-0"):
        output = tmp_path / f"{prime}.wav"
        generate(
            str(small_run),
            GenerationOptions(seconds=0.5, output=output, data=str(small_dataset), prime=prime),
        )
        written.append(output.read_bytes())
    assert written[0] != written[1]


def test_unknown_recording_is_an_error_that_names_some(
    small_run: Path, small_dataset: Path, tmp_path: Path
) -> None:
    request = GenerationOptions(
        seconds=1, output=tmp_path / "x.wav", data=str(small_dataset), prime="9"
    )
    with pytest.raises(TrainingError, match=r"holds no recording '9'; some .*: test-0, test-1"):
        generate(str(small_run), request)
    assert not list(tmp_path.iterdir())


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("existing", ["x.wav", "x.png", "x.json"])
def test_files_that_exist_are_replaced_on_request_only(
    small_run: Path, tmp_path: Path, existing: str
) -> None:
    (tmp_path / existing).write_text("mine")
    options = GenerationOptions(seconds=0.2, output=tmp_path / "x.wav")
    with pytest.raises(OutputError, match=rf"{existing}: exists; .* \(overwrite=True\)"):
        generate(str(small_run), options)
    assert snapshot(tmp_path) == {existing: b"mine"}
    generate(str(small_run), dataclasses.replace(options, overwrite=True))
    assert len(snapshot(tmp_path)) == 3
    assert (tmp_path / existing).read_bytes() != b"mine"


def test_a_run_and_a_dataset_are_never_overwritten(
    small_run: Path, small_dataset: Path, tmp_path: Path
) -> None:
    for folder, name in ((small_run, "run.wav"), (small_dataset, "dataset.wav")):
        copy = tmp_path / folder.name
        shutil.copytree(folder, copy)
        before = snapshot(copy)
        options = GenerationOptions(seconds=0.2, output=copy / name, overwrite=True)
        with pytest.raises(OutputError, match="choose another"):
            generate(str(small_run), options)
        assert snapshot(copy) == before


def test_a_full_disk_leaves_none_of_the_three_files(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DatasetError, match="cannot be written: no space left on device; make room"):
        generate(str(small_run), GenerationOptions(seconds=0.2, output=tmp_path / "x.wav"))
    assert not list(tmp_path.iterdir())


def test_the_shortest_sound_can_be_made(small_run: Path, tmp_path: Path) -> None:
    options = GenerationOptions(seconds=MIN_SECONDS, output=tmp_path / "x.wav")
    assert generate(str(small_run), options).seconds == MIN_SECONDS


def test_other_features_are_told_before_memory(
    small_run: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    options = GenerationOptions(
        seconds=1, output=tmp_path / "x.wav", data=str(tiny_dataset), prime="1", memory_bytes=1
    )
    with pytest.raises(TrainingError, match=r"features differ .*: sample_rate is .* in the run"):
        generate(str(small_run), options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *(
            ({"seconds": value}, f"seconds={value!r} must be a number from 0.1 to 3600")
            for value in (0, -1, 1e-9, 3_601, 1e12, np.inf, np.nan, "1")
        ),
        *(
            ({"temperature": value}, f"temperature={value!r} must be a number from 0.0001 to 10")
            for value in (0, 1e-300, 11, np.inf, np.nan)
        ),
        *(
            ({"seed": value}, f"seed={value!r} must be an integer from 0 to 2147483647")
            for value in (-1, 2**31, 2**40, 0.5, True)
        ),
        ({"memory_bytes": 0}, "memory_bytes=0 must be an integer from 1 to"),
        ({"output": Path("x.mp3")}, "must be the name of a .wav file"),
        ({"prime": "1"}, "prime and data belong together"),
    ],
)
def test_impossible_requests_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        GenerationOptions(**{"seconds": 1, "output": Path("x.wav"), **values})
