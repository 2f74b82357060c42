from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import FeatureConfig
from tests.support.measured_sounds import CONFIG, random_ear, random_transcriber
from training.measures.table import measures
from training.measures.transcriber import hidden_units

COARSE = dataclasses.replace(CONFIG, n_mels=16)
EARS = {config.n_mels: random_ear(config) for config in (CONFIG, COARSE)}
INVARIANT = (
    "level_sd_db",
    "level_drift_db",
    "flux_p50_db",
    "flux_p95_db",
    "speckle_db",
    "comb_strength",
    "polyphony",
    "pitch_class_bits",
)


def spectrograms(config: FeatureConfig, frames: int) -> dict[str, np.ndarray]:
    shape = (frames, config.n_mels)
    return {
        "silence": np.full(shape, config.floor_db, np.float32),
        "constant": np.full(shape, -20, np.float32),
        "loudest": np.full(shape, 60, np.float32),
        "ramp": np.broadcast_to(np.linspace(-50, 0, frames, dtype="f4")[:, None], shape),
        "alternating": np.where(np.arange(frames)[:, None] % 2, -90, 40) + np.zeros(shape, "f4"),
    }


@pytest.mark.parametrize("config", [CONFIG, COARSE], ids=["128 mels", "16 mels"])
@pytest.mark.parametrize("frames", [1, 2, 3, 43, 430])
@pytest.mark.parametrize("kind", list(spectrograms(CONFIG, 1)))
def test_every_measure_of_an_extreme_is_a_number(
    config: FeatureConfig, frames: int, kind: str
) -> None:
    found = EARS[config.n_mels].observe(spectrograms(config, frames)[kind]).measured
    assert {name: value for name, value in found.items() if not math.isfinite(value)} == {}
    assert {type(value) for value in found.values()} == {float}


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 120),
    n_mels=st.sampled_from([16, 128]),
    std_db=st.floats(0, 40),
    offset_db=st.floats(-80, 30),
)
@settings(max_examples=60, deadline=None)
def test_measures_are_within_their_bounds(
    seed: int, frames: int, n_mels: int, std_db: float, offset_db: float
) -> None:
    noise = np.random.default_rng(seed).normal(offset_db, std_db, (frames, n_mels))
    log_mel = np.clip(noise, -100, 60).astype(np.float32)
    found = EARS[n_mels].observe(log_mel).measured
    assert all(map(math.isfinite, found.values()))
    assert 0 <= found["joint_rises"] <= 1
    assert -1 <= found["comb_strength"] <= 1
    assert 0 <= found["flux_p50_db"] <= found["flux_p95_db"] <= 160
    assert 0 <= found["onsets_per_second"] <= CONFIG.frames_per_second
    assert 0 <= found["level_sd_db"] <= found_range(log_mel)
    assert 0 <= found["level_drift_db"] <= found_range(log_mel)
    assert 0 <= found["polyphony"] <= 128
    assert 0 <= found["pitch_class_bits"] <= math.log2(12) + 1e-9


def found_range(log_mel: np.ndarray) -> float:
    return float(np.ptp(log_mel)) + 1e-3


def measured_with_notes(log_mel: np.ndarray) -> dict[str, float]:
    """The measures of levels that are not rounded to the grid."""
    transcriber = random_transcriber()
    scores = transcriber.scores(hidden_units(log_mel, CONFIG))
    return measures(log_mel, CONFIG, scores >= 0.1)


def test_what_is_unknown_is_left_out() -> None:
    log_mel = np.random.default_rng(0).normal(-30, 6, (100, 4))
    found = measures(log_mel, dataclasses.replace(CONFIG, n_mels=4), None)
    assert "comb_strength" not in found
    assert not any(name.startswith(("poly", "pitch", "note")) for name in found)
    assert all(map(math.isfinite, found.values()))


@given(seed=st.integers(0, 2**32 - 1), gain_db=st.floats(-40, 40))
@settings(max_examples=30, deadline=None)
def test_a_gain_changes_the_level_alone(seed: int, gain_db: float) -> None:
    log_mel = np.random.default_rng(seed).normal(-30, 6, (100, CONFIG.n_mels))
    one, other = (measured_with_notes(each) for each in (log_mel, log_mel + gain_db))
    assert other["level_db"] == pytest.approx(one["level_db"] + gain_db)
    for name in INVARIANT:
        assert other[name] == pytest.approx(one[name], abs=1e-3), name
