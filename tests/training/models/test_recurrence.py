from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.models.recurrence import gru, lstm, simple_rnn

FRAMES, BATCH, UNITS = 4, 2, 3

LOOPS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "rnn": (simple_rnn, 1, 1),
    "gru": (gru, 3, 1),
    "lstm": (lstm, 4, 2),
}
"""The function, its gates, and its states."""


def arguments(kind: str, frames: int = FRAMES) -> list[tf.Tensor]:
    _, gates, states = LOOPS[kind]
    shapes = [(frames, BATCH, gates * UNITS), *[(BATCH, UNITS)] * states, (UNITS, gates * UNITS)]
    if kind == "gru":
        shapes.append((gates * UNITS,))
    rng = np.random.default_rng(0)
    return [tf.constant(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("kind", LOOPS)
def test_gradients_are_the_measured_slopes(kind: str) -> None:
    function, _, _ = LOOPS[kind]
    values = arguments(kind)
    for number in range(len(function(*values))):
        analytic, numeric = tf.test.compute_gradient(
            tf.function(lambda *each, number=number: function(*each)[number]), values, delta=1e-5
        )
        for mine, measured in zip(analytic, numeric, strict=True):
            np.testing.assert_allclose(mine, measured, atol=1e-8)


@pytest.mark.parametrize("kind", LOOPS)
def test_without_frames_the_states_stay(kind: str) -> None:
    function, _, states = LOOPS[kind]
    values = arguments(kind, frames=0)
    outputs, *final = function(*values)
    assert outputs.shape == (0, BATCH, UNITS)
    for state, initial in zip(final, values[1 : 1 + states], strict=True):
        np.testing.assert_array_equal(state, initial)
