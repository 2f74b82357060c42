from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training import TrainingError
from training.models import FrameModel, FrameModelConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_mels": 0}, "n_mels=0 must be an integer from 1"),
        ({"n_mels": 2**40}, "n_mels=1099511627776"),
        ({"units": (1,) * 65}, "must name 1 to 64 layers"),
        ({"components": 10**6}, "components=1000000"),
        ({"units": ()}, r"units=\(\) must name 1 to 64 layers"),
        ({"units": 3}, "units=3 must be a list"),
        ({"units": (3, -1)}, "units=-1 must be"),
        ({"recurrent": "tcn"}, "recurrent='tcn' must be one of rnn, gru, lstm"),
        ({"head": None}, "head=None must be one of chained, independent"),
        ({"components": 1.5}, "components=1.5 must be an integer"),
        ({"noise": float("nan")}, "noise=nan must be a number from 0"),
        ({"dropout": 1}, "dropout=1 must be a number from 0 to 0.95"),
        ({"mixed_precision": 1}, "mixed_precision=1 must be True or False"),
        ({"seed": -1}, "seed=-1 must be an integer"),
    ],
)
def test_an_impossible_setting_is_rejected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        FrameModelConfig(**settings)


def test_data_with_another_number_of_bins_are_rejected() -> None:
    model = FrameModel(FrameModelConfig(n_mels=8, units=(4,)))
    with pytest.raises(TrainingError, match=r"n_mels=8 and the data 9; .*FrameModelConfig"):
        model(np.zeros((1, 4, 9), np.float32))
