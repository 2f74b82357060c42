from __future__ import annotations

import re
from typing import Any

import pytest

from training import TrainingError
from training.composing import ComposerConfig
from training.composing.config import ComposerTraining


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pitches": (60,)}, "pitches=(60,) must be the lowest and the highest MIDI pitch"),
        ({"pitches": 60}, "pitches=60 must be the lowest and the highest MIDI pitch"),
        ({"pitches": (60, 59)}, "pitches=59 must be an integer from 60 to 127"),
        ({"pitches": (0, 128)}, "pitches=128 must be an integer from 0 to 127"),
        ({"units": 0}, "units=0 must be an integer from 1 to"),
        ({"channels": 1.5}, "channels=1.5 must be an integer from 1 to"),
        ({"chained": 1}, "chained=1 must be True or False"),
        ({"dropout": 1}, "dropout=1 must be a number from 0 to 0.95"),
        ({"seed": -1}, "seed=-1 must be an integer from 0 to"),
    ],
)
def test_an_impossible_network_is_an_error(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        ComposerConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps=0 must be an integer from 1 to"),
        ({"batch_size": "4"}, "batch_size='4' must be an integer from 1 to"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be a number from 1e-37"),
        ({"warmup_steps": -1}, "warmup_steps=-1 must be an integer from 0 to"),
        ({"memory_bytes": 0}, "memory_bytes=0 must be an integer from 1 to"),
    ],
)
def test_impossible_training_is_an_error(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        ComposerTraining(**values)


def test_the_piano_has_88_keys() -> None:
    assert ComposerConfig().n_pitches == 88
