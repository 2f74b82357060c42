"""One row: a run of `train`, and its bits on the frames that all rows share."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from schemas import Dataset, Storage
from training.ablation.config import AblationConfig, Row
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.errors import TrainingError
from training.fitting.scoring import packed_of
from training.horizon import HEARD, Horizon
from training.models.frame_model import model_inputs
from training.models.losses import frame_nats
from training.reading.opening import open_splits
from training.runs import is_run
from training.train import train
from training.trained_model import load_trained

WIDEST = "strict"
"""The horizon that needs most of a window."""

_FILE = "score.json"


@dataclasses.dataclass(frozen=True)
class Score:
    """What a row came to.

    `bits` are per dimension, the mean of each recording of the test split, and `frames` the frames
    of each that were scored. `frames_per_second` is the speed of training, None where it was not
    measured: a row that was stopped between training and scoring.
    """

    bits: dict[str, float]
    frames: dict[str, int]
    frames_per_second: float | None


def scored_frames(dataset: Dataset) -> slice:
    """The frames of a window that are scored in all rows: those whose widest horizon is stored."""
    config = dataset.config
    widest = Horizon.of(WIDEST, hop_length=config.hop_length, n_fft=config.n_fft)
    return widest.scored(HEARD, config.window_frames)


def run_row(data: str, folder: Path, row: Row, config: AblationConfig) -> Score:
    """The score in the row's `folder`; trains and scores first, unless that was done before.

    A row that was stopped goes on. Raises as `train` does, and where nothing can be scored.
    """
    path = folder / _FILE
    if path.exists():
        return Score(**json.loads(path.read_bytes()))
    result = train(
        data,
        str(folder),
        FrameModelConfig(
            recurrent=row.setting.recurrent,
            units=(config.units,),
            hears=row.setting.hears,
            horizon=row.setting.horizon,
            noise=0.0,
        ),
        TrainingConfig(batch_size=config.batch_size, seed=row.seed),
        LoopConfig(
            steps=row.steps, validation_interval=row.steps, memory_bytes=config.memory_bytes
        ),
        resume=is_run(folder),
    )
    bits, frames = _bits(data, folder, config)
    score = Score(bits, frames, result.frames_per_second)
    Storage(folder).write_bytes(_FILE, json.dumps(dataclasses.asdict(score), indent=1).encode())
    return score


def _bits(
    data: str, folder: Path, config: AblationConfig
) -> tuple[dict[str, float], dict[str, int]]:
    dataset = Dataset(data)
    model = load_trained(folder).model
    (reader,) = open_splits(
        dataset,
        ("test",),
        batch_size=config.batch_size,
        memory_bytes=config.memory_bytes,
        features=model.config.features,
    )
    scored, packed = scored_frames(dataset), packed_of(model)
    sums: dict[str, Any] = {}
    for batch in reader.in_order():
        nats = frame_nats(batch["log_mel"], packed(model_inputs(batch))).numpy()
        for row, name in enumerate(batch["recording_id"]):
            end = min(int(batch["valid_frames"][row]), scored.stop)
            if end > scored.start:
                found = nats[row, scored.start : end]
                total = sums.setdefault(str(name), np.zeros(2))
                total += [found.sum(dtype=np.float64) / np.log(2), len(found)]
    if not sums:
        raise TrainingError(
            f"{data}: no frame of the test split can be scored: it is empty or damaged, or its "
            f"windows are shorter than {scored.start + 1} frames; make it with longer windows"
        )
    names = sorted(sums)
    return (
        {name: float(sums[name][0] / sums[name][1]) for name in names},
        {name: int(sums[name][1]) for name in names},
    )
