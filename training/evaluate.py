"""Bits per dimension of a model and of baselines, on the same frames of one split."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset
from training.baselines.fit import NAMES, fit_baselines
from training.baselines.scoring import SCORED_FROM
from training.bootstrap import bootstrap_interval
from training.config import DEFAULT_CHECKPOINT, DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.fitting.scoring import packed_of
from training.free_running import FreeRunning
from training.grid import quantize
from training.models.frame_model import model_inputs
from training.models.losses import frame_nats
from training.reading.opening import open_splits
from training.reading.reader import Reader
from training.real_windows import valid_windows
from training.trained_model import load_predictor
from training.works import SharedWorks, works_of, works_shared_with_training

SCORERS = ("model", *NAMES)


@dataclasses.dataclass(frozen=True)
class RecordingScore:
    """One recording: frames scored, and the mean bits per dimension of each scorer."""

    recording_id: str
    frames: int
    bits: dict[str, float]


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """The mean over recordings of a baseline's bits less the model's, and its 95 % interval.

    `interval` is that of `bootstrap.bootstrap_interval` over works; None means unknown.
    """

    mean: float
    interval: tuple[float, float] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Bits per dimension over all scored frames of a split, and per recording.

    `paired` holds the difference of each baseline from the model: recordings differ more from one
    another than scorers do. `same_dataset` is whether the model was trained on this very dataset:
    if not, it may know these recordings. `works` counts the recordings that play a work that
    training recordings play too. `damaged_windows` describes some of the `damaged_count` damaged
    windows that were met. `free_running` is there if it was asked for.
    """

    run: str
    step: int
    split: str
    frames: int
    bits: dict[str, float]
    paired: dict[str, PairedDifference]
    recordings: tuple[RecordingScore, ...]
    same_dataset: bool
    works: SharedWorks
    damaged_windows: tuple[str, ...]
    damaged_count: int
    free_running: FreeRunning | None = None


def evaluate(
    run_dir: str,
    data: str,
    split: str = "test",
    *,
    checkpoint: str | int = DEFAULT_CHECKPOINT,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Evaluation:
    """Scores a checkpoint of a run, see `trained_model.load_predictor`.

    The baselines are fitted to the training split here.

    Every scorer puts its mass on the same grid and is scored on the same frames: those that are
    valid, have two frames before them in their window, and for which all that the model hears is in
    the window. Raises `TrainingError` where there is no trained model, the dataset has other
    features than it, the memory budget is too small, or nothing can be scored.
    """
    trained = load_predictor(run_dir, checkpoint)
    dataset = Dataset(data)
    trained.run.require_features(dataset)
    reader, train_reader = open_splits(
        dataset,
        (split, "train"),
        batch_size=trained.run.training.batch_size,
        memory_bytes=memory_bytes,
        features=trained.run.model.features,
    )
    scored = trained.run.model.reach.scored(trained.run.model.hears, dataset.config.window_frames)
    n_mels = trained.run.model.n_mels
    baselines = fit_baselines((window for _, window in valid_levels(train_reader)), n_mels)
    packed = packed_of(trained.model)
    totals: dict[str, NDArray[np.float64]] = {}
    for batch in reader.in_order():
        levels, valid = quantize(batch["log_mel"]), batch["valid_frames"]
        nats = frame_nats(batch["log_mel"], packed(model_inputs(batch))).numpy()
        for row, name in enumerate(batch["recording_id"]):
            window = levels[row, : valid[row]]
            end = min(len(window), scored.stop)
            if end <= scored.start:
                continue
            sums = totals.setdefault(str(name), np.zeros(1 + len(SCORERS)))
            sums += [
                end - scored.start,
                nats[row, scored.start : end].sum(dtype=np.float64) / np.log(2),
                *(
                    each.bits(window)[scored.start - SCORED_FROM : end - SCORED_FROM].sum(
                        dtype=np.float64
                    )
                    / n_mels
                    for each in baselines.values()
                ),
            ]
    if not totals:
        raise TrainingError(
            f"{data}: no frame of split {split!r} can be scored: its windows are damaged, or "
            f"shorter than {scored.start + 1} frames; choose another split"
        )
    return Evaluation(
        run=run_dir,
        step=trained.step,
        split=split,
        frames=int(sum(sums[0] for sums in totals.values())),
        bits=_means(sum(totals.values())),
        paired=paired_differences(list(totals.values()), works_of(dataset, list(totals))),
        recordings=tuple(
            RecordingScore(name, int(sums[0]), _means(sums))
            for name, sums in sorted(totals.items())
        ),
        same_dataset=dataset.manifest.fingerprint == trained.run.fingerprint,
        works=works_shared_with_training(dataset, set(totals)),
        damaged_windows=tuple(reader.damaged + train_reader.damaged),
        damaged_count=reader.damaged_count + train_reader.damaged_count,
    )


def valid_levels(reader: Reader) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Each window's recording, and the grid indices of its valid frames: int32 [frames, n_mels]."""
    for name, log_mel in valid_windows(reader):
        yield name, quantize(log_mel)


def paired_differences(
    totals: list[Any], works: Sequence[Hashable | None]
) -> dict[str, PairedDifference]:
    """The difference of each baseline from the model.

    `totals` hold a row per recording: frames, then each scorer's sum of bits. `works` are the works
    that the recordings play, None where that is unknown.
    """
    means = np.array([sums[1:] / sums[0] for sums in totals])
    differences = means[:, 1:] - means[:, :1]
    return {
        name: PairedDifference(float(column.mean()), bootstrap_interval(column, works))
        for name, column in zip(NAMES, differences.T, strict=True)
    }


def _means(sums: Any) -> dict[str, float]:
    return {name: float(total / sums[0]) for name, total in zip(SCORERS, sums[1:], strict=True)}
