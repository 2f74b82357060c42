"""No step waits for the figures of its own, and each figure is that of its step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.models import FrameModel
from training.runs import METRICS
from training.train import train

MODEL = FrameModelConfig(units=(4,))
TRAINING = TrainingConfig(batch_size=4, decay_steps=9)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens in training: "step 1" when a step is done, "read 1" when its loss is asked for.

    On a GPU, a step is done when it is on its way, and asking waits for it.
    """
    seen: list[str] = []
    make = FrameModel.make_train_function

    class Loss:
        def __init__(self, step: int, value: Any) -> None:
            self.step, self.value = step, value

        def __float__(self) -> float:
            seen.append(f"read {self.step}")
            return float(self.value)

    def watched(self: FrameModel, force: bool = False) -> None:
        make(self, force)
        train_step, steps = self.train_function, iter(range(1, 100))

        def step(iterator: Any) -> dict[str, Any]:
            logs = train_step(iterator)
            number = next(steps)
            seen.append(f"step {number}")
            return {**logs, "loss": Loss(number, logs["loss"])}

        self.train_function = step

    monkeypatch.setattr(FrameModel, "make_train_function", watched)
    return seen


def test_a_loss_is_read_when_the_next_step_is_on_its_way(
    events: list[str], small_dataset: Path, tmp_path: Path
) -> None:
    loop = LoopConfig(steps=5, validation_interval=3)
    train(str(small_dataset), str(tmp_path / "run"), MODEL, TRAINING, loop)
    reads = [event for event in events if event.startswith("read")]
    assert reads == [f"read {number}" for number in range(1, 6)]
    assert ", ".join(events) == (
        "step 1, step 2, read 1, step 3, read 2, read 3, step 4, step 5, read 4, read 5"
    )


def test_figures_belong_to_their_steps_however_often_they_are_read(
    small_dataset: Path, tmp_path: Path
) -> None:
    lines = []
    for name, interval in (("often", 1), ("rarely", 9)):
        loop = LoopConfig(steps=5, validation_interval=interval)
        train(str(small_dataset), str(tmp_path / name), MODEL, TRAINING, loop)
        texts = (tmp_path / name / METRICS).read_text().splitlines()
        lines.append([line for line in map(json.loads, texts) if "validation_bits" not in line])
    often, rarely = lines
    assert [line["step"] for line in often] == [1, 2, 3, 4, 5]
    assert often == rarely
    rates = [line["learning_rate"] for line in often]
    assert rates == pytest.approx([4e-3 * step / 30 for step in range(1, 6)])
