"""Bits per dimension of a model and of two baselines, on the same frames of one split."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas import Dataset
from training.baselines import SCORED_FROM, fit_baselines
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.free_running import FreeRunning
from training.grid import quantize
from training.models.losses import frame_nats
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.trained_model import load_trained
from training.works import SharedWorks, works_shared_with_training

SCORERS = ("model", "histogram", "autoregression")


@dataclasses.dataclass(frozen=True)
class RecordingScore:
    """One recording: frames scored, and the mean bits per dimension of each scorer."""

    recording_id: str
    frames: int
    bits: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Bits per dimension over all scored frames of a split, and per recording.

    `paired` holds, for each baseline, the mean over recordings of (baseline - model) and its
    standard error, None for a single recording: recordings differ from one another more than
    scorers do. `works` counts the recordings that play a work that training recordings play too.
    `damaged_windows` describes some of the `damaged_count` damaged windows that were met.
    `free_running` is there if it was asked for.
    """

    run: str
    step: int
    split: str
    frames: int
    bits: dict[str, float]
    paired: dict[str, tuple[float, float | None]]
    recordings: tuple[RecordingScore, ...]
    works: SharedWorks
    damaged_windows: tuple[str, ...]
    damaged_count: int
    free_running: FreeRunning | None = None


def evaluate(
    run_dir: str,
    data: str,
    split: str = "test",
    *,
    checkpoint: str | int = "best",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Evaluation:
    """Scores a checkpoint of a run, see `trained_model.load_trained`.

    The baselines are fitted to the training split here.

    Every scorer puts its mass on the same grid and is scored on the same frames: those that are
    valid and have two frames before them in their window. Raises `TrainingError` where there is no
    trained model, the dataset has other features than it, the memory budget is too small, or
    nothing can be scored.
    """
    trained = load_trained(run_dir, checkpoint)
    dataset = Dataset(data)
    trained.run.require_features(dataset)
    reader, train_reader = open_splits(
        dataset,
        (split, "train"),
        batch_size=trained.run.training.batch_size,
        memory_bytes=memory_bytes,
    )
    n_mels = trained.run.model.n_mels
    histogram, autoregression = fit_baselines(
        (window for _, window in valid_levels(train_reader)), n_mels
    )
    score = tf.function(
        lambda log_mel: frame_nats(log_mel, trained.model(log_mel)), reduce_retracing=True
    )
    totals: dict[str, NDArray[np.float64]] = {}
    for batch in reader.in_order():
        levels, valid = quantize(batch["log_mel"]), batch["valid_frames"]
        model_bits = score(tf.constant(batch["log_mel"])).numpy() / np.log(2)
        for row, name in enumerate(batch["recording_id"]):
            window = levels[row, : valid[row]]
            if len(window) <= SCORED_FROM:
                continue
            sums = totals.setdefault(str(name), np.zeros(1 + len(SCORERS)))
            sums += [
                len(window) - SCORED_FROM,
                model_bits[row, SCORED_FROM : len(window)].sum(dtype=np.float64),
                histogram.bits(window).sum() / n_mels,
                autoregression.bits(window).sum() / n_mels,
            ]
    if not totals:
        raise TrainingError(
            f"{data}: no frame of split {split!r} can be scored: its windows are damaged, or "
            f"shorter than {SCORED_FROM + 1} frames; choose another split"
        )
    return Evaluation(
        run=run_dir,
        step=trained.step,
        split=split,
        frames=int(sum(sums[0] for sums in totals.values())),
        bits=_means(sum(totals.values())),
        paired=paired_differences(list(totals.values())),
        recordings=tuple(
            RecordingScore(name, int(sums[0]), _means(sums))
            for name, sums in sorted(totals.items())
        ),
        works=works_shared_with_training(dataset, set(totals)),
        damaged_windows=tuple(reader.damaged + train_reader.damaged),
        damaged_count=reader.damaged_count + train_reader.damaged_count,
    )


def valid_levels(reader: Reader) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Each window's recording, and the grid indices of its valid frames: int32 [frames, n_mels]."""
    for batch in reader.in_order():
        rows = zip(batch["recording_id"], batch["log_mel"], batch["valid_frames"], strict=True)
        for name, log_mel, valid in rows:
            yield str(name), quantize(log_mel[:valid])


def paired_differences(totals: list[Any]) -> dict[str, tuple[float, float | None]]:
    """Of each baseline: the mean over recordings of its bits less the model's, and its error.

    `totals` hold a row per recording: frames, then each scorer's sum of bits.
    """
    means = np.array([sums[1:] / sums[0] for sums in totals])
    found = {}
    for column, name in enumerate(SCORERS[1:], start=1):
        differences = means[:, column] - means[:, 0]
        error = None
        if len(differences) > 1:
            error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
        found[name] = (float(differences.mean()), error)
    return found


def _means(sums: Any) -> dict[str, float]:
    return {name: float(total / sums[0]) for name, total in zip(SCORERS, sums[1:], strict=True)}
