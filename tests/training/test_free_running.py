from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.dataset_factory import CONFIG, make_dataset
from tests.support.measured_sounds import CONTROLS
from training import TrainingError
from training.free_running import HELD_OUT, MODEL, FreeRunning, failures, free_running
from training.grid import dequantize
from training.measures.judge import Judgment
from training.measures.reference import MIN_WINDOWS
from training.models.sampling import SamplingConfig, sample_levels
from training.reports import free_running_lines
from training.sampled_windows import sampled_windows
from training.trained_model import load_trained


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random walks: 50 windows to train on, and 8 whole ones to test on."""
    frames = {"train": (210,) * 16, "validation": (70, 70), "test": (140,) * 4 + (30,)}
    return make_dataset(tmp_path_factory.mktemp("music") / "dataset", frames=frames)


@pytest.fixture(scope="module")
def result(music: Path, small_run: Path) -> FreeRunning:
    return free_running(str(small_run), str(music))


def test_every_source_is_judged_on_as_many_windows(result: FreeRunning) -> None:
    assert tuple(result.judgments) == (MODEL, HELD_OUT, *CONTROLS)
    assert {each.windows for each in result.judgments.values()} == {8}
    assert (result.real_splits, result.real_windows) == (("train", "validation"), 50)


def test_held_out_music_is_like_music_and_controls_are_not(result: FreeRunning) -> None:
    """But for shuffled frames, whose order random walks hardly have."""
    assert result.judgments[HELD_OUT].unlike is False
    assert not {"stationary noise", "time-blurred", "20 dB softer", "drone"} & set(
        result.failures or ()
    )


def test_the_result_is_json_and_a_table(result: FreeRunning) -> None:
    text = json.dumps(dataclasses.asdict(result), allow_nan=False)
    assert json.loads(text)["judgments"][MODEL]["windows"] == 8
    lines = free_running_lines(result)
    header = next(line for line in lines if "5%" in line)
    assert all(name in header for name in (MODEL, HELD_OUT, *CONTROLS))
    (level,) = (line for line in lines if line.startswith("level_db"))
    assert result.intervals is not None
    assert f"{result.intervals['level_db'].median:.2f}" in level
    assert f"{result.judgments[MODEL].medians['level_db']:.2f}" in level


def test_too_little_real_music_leaves_the_verdict_unknown(
    small_dataset: Path, small_run: Path
) -> None:
    found = free_running(str(small_run), str(small_dataset))
    assert 0 < found.real_windows < MIN_WINDOWS
    assert found.intervals is None
    assert found.failures is None
    assert {each.unlike for each in found.judgments.values()} == {None}
    assert "too few real windows or recordings: what is like music is unknown" in (
        free_running_lines(found)
    )


def test_held_out_music_is_needed(small_run: Path, tmp_path: Path) -> None:
    frames = {"train": (210, 210), "validation": (70,), "test": (70, 40)}
    data = make_dataset(tmp_path, frames=frames)
    with pytest.raises(TrainingError, match="'test' has fewer than 2 whole windows"):
        free_running(str(small_run), str(data))


def test_samples_are_those_that_generation_makes(small_run: Path) -> None:
    samples = sampled_windows(str(small_run), windows=2, frames=9, seed=3)
    assert samples.shape == (2, 9, CONFIG.n_mels)
    assert samples.dtype == np.float32
    assert (samples[0] != samples[1]).any()
    np.testing.assert_array_equal(
        sampled_windows(str(small_run), windows=2, frames=9, seed=3), samples
    )
    warm_up = round(CONFIG.frames_per_second)
    seeds = np.random.SeedSequence(3).generate_state(2).tolist()
    model = load_trained(small_run).model
    levels = sample_levels(model, warm_up + 9, seeds=seeds, config=SamplingConfig.for_music())
    np.testing.assert_array_equal(dequantize(levels)[:, warm_up:], samples)


def judged(unlike: bool | None) -> Judgment:
    return Judgment(
        windows=2,
        medians={},
        outside=None,
        unlike_windows=None,
        measures=None,
        embeddings=None,
        unlike=unlike,
        pitch_classes=None,
        polyphony_shares=None,
    )


def test_measures_fail_where_they_call_music_unlike_or_a_control_like_it() -> None:
    right = {MODEL: judged(True), HELD_OUT: judged(False), "drone": judged(True)}
    assert failures(right) == ()
    assert failures({**right, MODEL: judged(False)}) == ()
    assert failures({**right, HELD_OUT: judged(True), "drone": judged(False)}) == (
        HELD_OUT,
        "drone",
    )
    assert failures({**right, "drone": judged(None)}) is None
