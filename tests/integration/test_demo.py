"""The demo, whole: it must keep what it promises, on its own recordings and on real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.stats import binomtest

from tests.support.processes import start, wait_for
from training import open_dataset
from training.grid import dequantize, quantize
from training.measures.levels import level_db
from training.models.sampling import SamplingConfig, sample_levels
from training.trained_model import load_trained

ROOT = Path(__file__).parents[2]

MARGIN_DB = 3.0
"""How far samples may be from the levels of nine in ten windows of music, since the demo's model
differs from machine to machine."""

LONG_MARGIN_DB = 6.0
"""How far half a minute may be from them in a piece of five minutes."""


def made(folder: Path, *arguments: str) -> Path:
    """The folder, filled by the demo."""
    command = [sys.executable, "examples/demo.py", "--output", str(folder), *arguments]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("demo"))


def require_promises(folder: Path, checks: int) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    assert len(summary["checks"]) == checks
    assert all(summary["checks"].values())
    for sound in ("played.wav", "sampled.wav"):
        assert soundfile.info(folder / sound).duration == pytest.approx(10, abs=0.1)
    for picture in ("windows.png", "played.png", "sampled.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def results_of(demo: Path, model: str) -> dict[str, Any]:
    return dict(json.loads((demo / "summary.json").read_text())[model])


def test_from_recordings_to_music(demo: Path) -> None:
    require_promises(demo, 6)


def test_scores_are_played(demo: Path) -> None:
    """Their onsets are heard without a transcriber, and what is played is like music."""
    found = results_of(demo, "player")["evaluate"]["free_running"]
    (onsets,) = found["playing"]["onsets"].values()
    assert onsets["played"] >= 0.6
    assert onsets["played"] > onsets["chance"] + 0.2
    assert found["judgments"]["model"]["unlike_windows"] <= 3
    assert found["failures"] == []


def test_every_recording_is_predicted_better_than_by_a_linear_chain(demo: Path) -> None:
    bits = [each["bits"] for each in results_of(demo, "sampler")["evaluate"]["recordings"]]
    assert len(bits) == 3
    assert all(each["model"] < each["linear_chain"] for each in bits)


def test_from_recordings_of_musicnet_to_music(tmp_path: Path) -> None:
    """A few excerpts of MusicNet are too little to say what real music is like."""
    if "MUSICNET_ROOT" not in os.environ:
        pytest.skip("MUSICNET_ROOT does not name a folder with MusicNet recordings")
    require_promises(made(tmp_path, "--input", os.environ["MUSICNET_ROOT"]), 5)


@pytest.mark.parametrize("temperature", [0.5, 0.75, 1.0, 1.25, 1.5])
def test_samples_are_as_loud_as_music(demo: Path, temperature: float) -> None:
    interval = results_of(demo, "sampler")["evaluate"]["free_running"]["intervals"]["level_db"]
    trained = load_trained(demo / "sampler")
    config = trained.run.features
    second, window = round(config.frames_per_second), config.window_frames
    levels = sample_levels(
        trained.model,
        second + 4 * window,
        seeds=[1, 2, 3],
        config=SamplingConfig.for_music(temperature),
    )
    windows = dequantize(levels[:, second:]).reshape(12, window, config.n_mels)
    found = np.mean([level_db(each, config) for each in windows])
    assert interval["low"] - MARGIN_DB < found < interval["high"] + MARGIN_DB


def test_five_minutes_are_as_loud_as_music_all_the_time(demo: Path) -> None:
    interval = results_of(demo, "sampler")["evaluate"]["free_running"]["intervals"]["level_db"]
    trained = load_trained(demo / "sampler")
    config = trained.run.features
    half_minute = round(30 * config.frames_per_second)
    levels = sample_levels(
        trained.model, 10 * half_minute, seeds=[1, 2, 3], config=SamplingConfig.for_music()
    )
    found = [
        level_db(each, config)
        for each in dequantize(levels).reshape(30, half_minute, config.n_mels)
    ]
    assert interval["low"] - LONG_MARGIN_DB < min(found)
    assert max(found) < interval["high"] + LONG_MARGIN_DB


def test_a_sample_begins_like_its_own_prime(demo: Path) -> None:
    """Half a second of samples is nearer to the last second of its prime than to other recordings'.

    By the distance of mean levels, for most seeds and windows of other recordings. A sign test over
    the primes: samples that did not hear them pass once in fifty times.
    """
    trained = load_trained(demo / "sampler")
    second = round(trained.run.features.frames_per_second)
    reader = open_dataset(demo / "dataset", "test", features=("log_mel",), batch_size=1)
    primes = [
        (str(batch["recording_id"][0]), batch["log_mel"][0])
        for batch in reader.in_order()
        if batch["valid_frames"][0] == batch["log_mel"].shape[1]
    ]
    nearer = []
    for name, prime in primes:
        levels = sample_levels(
            trained.model,
            second // 2,
            seeds=list(range(8)),
            config=SamplingConfig.for_music(),
            prime=quantize(prime),
        )
        means = dequantize(levels).mean(axis=1)
        own = np.linalg.norm(means - prime[-second:].mean(axis=0), axis=1)
        others = [
            np.linalg.norm(means - other[-second:].mean(axis=0), axis=1)
            for other_name, other in primes
            if other_name != name
        ]
        nearer.append(bool(np.mean(own < np.array(others)) > 0.5))
    assert binomtest(sum(nearer), len(nearer), alternative="greater").pvalue < 0.02


def test_ctrl_c_ends_its_step_and_then_itself(tmp_path: Path) -> None:
    process = start([sys.executable, "examples/demo.py", "--output", str(tmp_path)])
    wait_for(lambda: list(tmp_path.iterdir()), process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    *_, step, _, last = errors.splitlines()
    assert step.startswith("interrupted")
    assert last == "interrupted; the demo begins anew next time"
    assert "Traceback" not in errors
