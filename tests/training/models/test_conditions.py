"""What a model hears, and that it hears nothing else."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.conditions import (
    CONDITIONS,
    FRAMES,
    inputs_of,
    mixed,
    model_of,
    predicted,
)
from training.errors import TrainingError
from training.grid import quantize
from training.horizon import HEARD, HORIZONS
from training.models.frame_model import HEARD_FEATURES


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("hears", CONDITIONS, ids="+".join)
def test_nothing_beyond_the_horizon_changes_a_bit(hears: tuple[str, ...], horizon: str) -> None:
    model = model_of(hears=hears, horizon=horizon)
    for frame in (1, FRAMES - 1):
        whole = predicted(model, inputs_of(model), frame)
        assert predicted(model, mixed(model, frame, later=0), frame) == whole


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("hears", HEARD)
def test_the_last_that_is_within_the_horizon_is_heard(hears: str, horizon: str) -> None:
    model, frame = model_of(hears=(hears,), horizon=horizon), 10
    whole = predicted(model, inputs_of(model), frame)
    assert predicted(model, mixed(model, frame, later=-1), frame) != whole


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("hears", CONDITIONS, ids="+".join)
def test_a_chain_hears_the_bins_below_in_the_same_frame_and_no_others(
    hears: tuple[str, ...], horizon: str
) -> None:
    model, frame, mel = model_of(hears=hears, horizon=horizon, head="chained"), 7, 3
    other = mixed(model, frame, later=0)
    other["log_mel"][:, frame, :mel] = inputs_of(model)["log_mel"][:, frame, :mel]
    one, changed = (model(each).numpy()[0, frame] for each in (inputs_of(model), other))
    assert one[:, : mel + 1].tobytes() == changed[:, : mel + 1].tobytes()
    assert (one[:, mel + 1 :] != changed[:, mel + 1 :]).any()


@pytest.mark.parametrize("hears", CONDITIONS, ids="+".join)
def test_what_is_not_heard_may_be_missing(hears: tuple[str, ...]) -> None:
    model = model_of(hears=hears)
    needed = {name: inputs_of(model)[name] for name in model.config.features}
    assert set(needed) <= set(HEARD_FEATURES)
    np.testing.assert_array_equal(model(needed), model(inputs_of(model)))
    for name in set(needed) - {"log_mel"}:
        with pytest.raises(TrainingError, match=f"needs {name} beside"):
            model({each: needed[each] for each in needed if each != name})


@pytest.mark.parametrize("hears", CONDITIONS, ids="+".join)
def test_a_saved_model_hears_the_same_bit_for_bit(hears: tuple[str, ...], tmp_path: Path) -> None:
    model = model_of(hears=hears, horizon="strict")
    needed = {name: inputs_of(model)[name] for name in model.config.features}
    expected = model(needed).numpy()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.config == model.config
    assert again(needed).numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("hears", [("notes",), ("frequency", "notes")], ids="+".join)
@pytest.mark.parametrize("head", ["chained", "independent"])
def test_steps_with_a_score_give_what_the_sequence_gives(hears: tuple[str, ...], head: str) -> None:
    model = model_of(hears=hears, head=head)
    inputs = inputs_of(model)
    whole = model(inputs).numpy()
    score = model.hear_score(inputs["notes"], inputs["onsets"])
    state = model.start(1)
    for number, levels in enumerate(np.swapaxes(quantize(inputs["log_mel"]), 0, 1)):
        packed, state = model.hear(state, tf.constant(levels), score[:, number])
        np.testing.assert_allclose(packed, whole[:, number], rtol=1e-4, atol=1e-4)
