from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.grid import HIGHEST_DB, LOWEST_DB, N_LEVELS, STEP_DB, dequantize, quantize


def test_levels_survive_a_round_trip() -> None:
    levels = np.arange(N_LEVELS)
    np.testing.assert_array_equal(quantize(dequantize(levels)), levels)
    assert dequantize(levels)[[0, -1]].tolist() == [LOWEST_DB, HIGHEST_DB]


@given(st.floats(-100, 60, width=32))
def test_a_level_is_at_most_half_a_step_away(db: float) -> None:
    assert abs(dequantize(quantize(np.array([db])))[0] - db) <= STEP_DB / 2


@given(st.floats(allow_nan=False, width=32))
def test_every_number_is_on_the_grid(db: float) -> None:
    assert 0 <= quantize(np.array([db], np.float32))[0] < N_LEVELS


def test_quantize_leaves_its_argument_alone() -> None:
    db = np.array([1.3, -200, 99], np.float32)
    quantize(db)
    assert db.tolist() == np.array([1.3, -200, 99], np.float32).tolist()
