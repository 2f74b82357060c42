"""No model hears beyond its horizon, of whatever cells, and for the features of every preset."""

from __future__ import annotations

import numpy as np
import pytest

from schemas import PRESETS
from tests.support.conditions import CONDITIONS, FRAMES, inputs_of, mixed, model_of
from training.config import RECURRENT
from training.horizon import HORIZONS


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("recurrent", RECURRENT)
@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("hears", CONDITIONS, ids="+".join)
def test_nothing_beyond_the_horizon_changes_a_bit(
    hears: tuple[str, ...], horizon: str, recurrent: str, preset: str
) -> None:
    model = model_of(preset, hears=hears, horizon=horizon, recurrent=recurrent)
    every = range(FRAMES)
    same, changed = (
        model({name: np.concatenate([each[name] for each in windows]) for name in windows[0]})
        for windows in (
            [inputs_of(model) for _ in every],
            [mixed(model, frame, later=0) for frame in every],
        )
    )
    for frame in every:
        assert changed[frame, frame].numpy().tobytes() == same[frame, frame].numpy().tobytes()
