from __future__ import annotations

import keras
import numpy as np
import pytest

from training.models.schedules import FLOOR, WarmUpCosine


def rates(schedule: WarmUpCosine, steps: int) -> np.ndarray:
    return np.array([float(schedule(step)) for step in range(steps)])


def test_the_rate_rises_falls_and_stays() -> None:
    found = rates(WarmUpCosine(0.1, warmup_steps=4, decay_steps=20), 30)
    np.testing.assert_allclose(found[:4], [0.025, 0.05, 0.075, 0.1], rtol=1e-6)
    assert (np.diff(found[4:21]) < 0).all()
    assert found[12] == pytest.approx(0.1 * (FLOOR + (1 - FLOOR) / 2))
    np.testing.assert_allclose(found[20:], 0.1 * FLOOR, rtol=1e-5)


@pytest.mark.parametrize(("warmup", "decay"), [(0, 1), (0, 10), (10, 1), (10, 10), (5, 6)])
def test_any_steps_give_rates_within_the_bounds(warmup: int, decay: int) -> None:
    found = rates(WarmUpCosine(1.0, warmup, decay), 25)
    assert ((found > 0) & (found <= 1)).all()
    assert found[-1] == pytest.approx(FLOOR)


def test_a_schedule_is_made_again_from_its_config() -> None:
    schedule = WarmUpCosine(0.1, 4, 20)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(rates(again, 25), rates(schedule, 25))
