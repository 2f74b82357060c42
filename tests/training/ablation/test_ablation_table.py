from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.ablation.config import (
    BASE,
    CONDITIONS,
    TIME,
    AblationConfig,
    Setting,
    matched_by_time,
    settings,
)
from training.ablation.figure import draw_ablation
from training.ablation.rows import Score
from training.ablation.table import conditions, sentence, table
from training.errors import TrainingError

NAMES = [f"recording-{number}" for number in range(8)]
BOTH = Setting(recurrent="gru", hears=("frequency", "time"), horizon="overlap")


def scores_of(saved: float, seeds: int = 2) -> dict[Setting, tuple[int, list[Score]]]:
    """`BOTH` saves so many bits in each recording, and recordings differ by much more."""
    rng = np.random.default_rng(0)
    base = [
        dict(zip(NAMES, rng.normal(4, 0.5, len(NAMES)).tolist(), strict=True)) for _ in range(seeds)
    ]
    noise = [rng.normal(0, 0.01, len(NAMES)).tolist() for _ in range(seeds)]
    both = [
        {name: bits - saved + more for (name, bits), more in zip(each.items(), extra, strict=True)}
        for each, extra in zip(base, noise, strict=True)
    ]
    frames = dict.fromkeys(NAMES, 9)
    return {
        setting: (300, [Score(each, frames, 1.0) for each in bits])
        for setting, bits in ((BOTH.base, base), (BOTH, both))
    }


def test_every_condition_has_a_base_and_gru_has_all_of_them() -> None:
    found = settings()
    assert len(set(found)) == len(found) == 2 * len(CONDITIONS) + 4
    assert all(each.base in found for each in found)
    assert len({each.name for each in found}) == len(found)


def test_slower_models_have_fewer_steps_in_the_same_time() -> None:
    steps = dict.fromkeys(settings(), 300)
    speeds = {each: 1_000.0 if each.hears == BASE else 400.0 for each in steps}
    found = matched_by_time(steps, speeds)
    assert set(found.values()) == {120}
    assert {each.matched for each in found} == {TIME}
    assert all(each.recurrent == "gru" and each.base in steps for each in found)


@pytest.mark.parametrize("saved", [0.1, -0.1])
def test_what_is_saved_is_found_however_recordings_differ(saved: float) -> None:
    works = {name: (name,) for name in NAMES}
    base, both = conditions(scores_of(saved), works)
    assert base.difference == 0
    assert base.interval is None
    assert both.difference == pytest.approx(-saved, abs=0.02)
    assert both.interval is not None
    assert both.interval[0] < both.difference < both.interval[1]
    assert (both.interval[0] < 0) == (both.interval[1] < 0)
    assert both.bits == pytest.approx(np.mean(both.seeds))
    verb = "saves" if saved > 0 else "costs"
    assert f"the waveform {verb} {abs(both.difference):.4f} bits" in sentence([base, both], 8)
    assert f"| {both.bits:.3f} |" in table([base, both])
    picture = draw_ablation([base, both], title="x")
    assert picture.startswith(b"\x89PNG")
    assert picture == draw_ablation([base, both], title="x")


def test_few_or_unknown_works_have_no_interval() -> None:
    for works in (dict.fromkeys(NAMES, ("one",)), dict.fromkeys(NAMES)):
        rows = conditions(scores_of(0.1), works)
        assert all(each.interval is None for each in rows)
        assert "unknown" in table(rows)
        assert "too few for intervals" in sentence(rows, 1)


def test_an_impossible_config_is_an_error() -> None:
    with pytest.raises(TrainingError, match="seeds=0 must be an integer from 1"):
        AblationConfig(seeds=0)
    assert dataclasses.replace(AblationConfig(), steps=5).steps == 5
