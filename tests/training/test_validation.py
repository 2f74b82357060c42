from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.support.oddities import ODDITIES, assert_one_short_line, name_of_oddity
from training import TrainingError
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.validation import one_of, real_number, shown, true_or_false, whole_number


@pytest.mark.parametrize("value", [1, 5, np.int64(3), np.uint8(1)])
def test_whole_numbers_become_pythons(value: Any) -> None:
    found = whole_number("x", value, 1, 5)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize("value", [0, 6, 10**30, 2.0, "2", None, True, np.bool_(True), np.nan])
def test_other_values_are_no_whole_numbers_of_the_range(value: Any) -> None:
    message = f"x={value!r} must be an integer from 1 to 5"
    with pytest.raises(TrainingError, match=re.escape(message)):
        whole_number("x", value, 1, 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        (np.array([1, 2]), "array([1, 2])"),
        (np.array([[1], [2]]), "array([[1], [2]])"),
        (10**30, "1" + 30 * "0"),
        pytest.param(10**5_000, "<an integer of 16,610 bits>", id="of many digits"),
        ([-(10**5_000)], "[<an integer of 16,610 bits>]"),
        ({"epoch": 0, "position": 99}, "{'epoch': 0, 'position': 99}"),
    ],
)
def test_values_are_shown_on_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("value", ODDITIES, ids=name_of_oddity)
def test_anything_else_is_rejected_on_one_short_line(value: Any) -> None:
    for call in (
        lambda: whole_number("x", value, 0, 5),
        lambda: real_number("x", value, 0, 5),
        lambda: one_of("x", value, ("a", "b")),
        lambda: true_or_false("x", value),
        lambda: FrameModelConfig(recurrent=value),
        lambda: FrameModelConfig(units=value),
    ):
        with pytest.raises(TrainingError) as raised:
            call()
        assert_one_short_line(raised.value)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), np.int8(1)])
def test_real_numbers_become_pythons(value: Any) -> None:
    found = real_number("x", value, 0, 1)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [-1e-9, 1.1, np.nan, np.inf, -np.inf, "1", None, True, 1j])
def test_other_values_are_no_real_numbers_of_the_range(value: Any) -> None:
    message = f"x={value!r} must be a number from 0 to 1"
    with pytest.raises(TrainingError, match=re.escape(message)):
        real_number("x", value, 0, 1)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (LoopConfig, {"steps": 2**31}),
        (LoopConfig, {"steps": 1.5}),
        (LoopConfig, {"validation_interval": 0}),
        (LoopConfig, {"memory_bytes": 2**63}),
        (TrainingConfig, {"batch_size": 2**21}),
        (TrainingConfig, {"learning_rate": np.nan}),
        (TrainingConfig, {"learning_rate": 1e-300}),
        (TrainingConfig, {"clip_norm": np.inf}),
        (TrainingConfig, {"warmup_steps": 2**31}),
        (TrainingConfig, {"decay_steps": 0}),
        (TrainingConfig, {"gain_db": 61}),
        (TrainingConfig, {"ema": 1.0}),
        (LoopConfig, {"patience": 0}),
        (TrainingConfig, {"seed": 2**31}),
    ],
)
def test_settings_are_checked_at_both_ends(config: Any, values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=f"^{next(iter(values))}="):
        config(**values)


def test_a_whole_learning_rate_is_a_number_like_any_other() -> None:
    assert TrainingConfig(learning_rate=1) == TrainingConfig(learning_rate=1.0)
    assert type(TrainingConfig(learning_rate=1).learning_rate) is float
