"""Does a model that hears only itself make music? Its samples beside real music and controls."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from schemas import Dataset
from schemas.shards import SPLITS
from training.config import DEFAULT_CHECKPOINT, DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.measures.controls import controls
from training.measures.judge import Judge, Judgment
from training.measures.real_music import RealWindow, real_music
from training.measures.reference import Interval
from training.models.score import Score
from training.playing import Playing, playing
from training.real_windows import MAX_WINDOWS, damage, open_real_music, real_windows
from training.runs import read_run
from training.sampled_windows import sampled_windows

WINDOWS = 16
"""At most this many windows of each kind are judged: as many as the split has whole ones."""

LEAST_WINDOWS = 2
SEED = 0

MODEL = "model"
HELD_OUT = "held-out music"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FreeRunning:
    """Samples of a model beside real music, held-out music, and controls that are not music.

    Attributes:
        seed: The seed of the samples.
        frames: The length of every window.
        real_splits: The splits of the real music, and `real_windows` of how many windows of it.
        real_windows: The number of windows of real music.
        average_precision: That of the transcriber on recordings that it was not fitted to; None,
            which means unknown, for a dataset without notes.
        intervals: The 5th, 50th and 95th percentile over real windows of each measure; None, which
            means unknown, where they are too few.
        judgments: Those of "model", of "held-out music" and of each control.
        failures: The held-out music if it is called unlike music, and the controls that are not:
            where there are any, the measures say little about the model. None means unknown.
        damaged_windows: Descriptions of some of the `damaged_count` damaged windows.
        damaged_count: The number of damaged windows that were met.
        playing: The onsets of the held-out music's scores in what the model plays; None for a model
            that plays none, and for music without notes.
    """

    seed: int
    frames: int
    real_splits: tuple[str, ...]
    real_windows: int
    average_precision: float | None
    intervals: Mapping[str, Interval] | None
    judgments: Mapping[str, Judgment]
    failures: tuple[str, ...] | None
    damaged_windows: tuple[str, ...]
    damaged_count: int
    playing: Playing | None = None


def free_running(
    run_dir: str,
    data: str,
    split: str = "test",
    *,
    checkpoint: str | int = DEFAULT_CHECKPOINT,
    transcriber: str | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> FreeRunning:
    """Judges samples of a run's model; `split` is the held-out music, the other splits are real.

    `checkpoint` is that of `load_trained`. `transcriber` is the run of a transcriber, which listens
    to what a model that hears notes plays.

    Controls are made from the held-out music, and a model that hears notes plays that music's
    scores. Raises `TrainingError` where there is no trained model, the data have other features
    than it, the memory budget is too small, the split has no two whole windows, or the model plays
    no scores that a transcriber could hear.
    """
    run, dataset = read_run(run_dir), Dataset(data)
    run.require_features(dataset)
    if transcriber is not None and "notes" not in run.model.hears:
        raise TrainingError(
            f"{run_dir}: the model hears {' and '.join(run.model.hears)}, and no notes, so it "
            "plays no score that a transcriber could hear; leave the transcriber out"
        )
    readers = open_real_music(dataset, SPLITS, memory_bytes=memory_bytes)
    config = run.features
    frames = config.window_frames
    held_out_windows = [
        each
        for each in real_windows([readers[split]] if split in readers else [], MAX_WINDOWS)
        if len(each.log_mel) == frames
    ][:WINDOWS]
    held_out = [each.log_mel for each in held_out_windows]
    if len(held_out) < LEAST_WINDOWS:
        raise TrainingError(
            f"{data}: split {split!r} has fewer than {LEAST_WINDOWS} whole windows, so there is no "
            "held-out music; choose another split"
        )
    others = {name: reader for name, reader in readers.items() if name != split}
    music = real_music(real_windows(list(others.values()), MAX_WINDOWS), config, frames)
    score = _score(held_out_windows) if "notes" in run.model.hears else None
    samples = sampled_windows(
        run_dir, checkpoint, windows=len(held_out), frames=frames, seed=SEED, score=score
    )
    judge = Judge(music, len(held_out))
    judgments = {
        name: judge.judge(windows)
        for name, windows in {
            MODEL: list(samples),
            HELD_OUT: held_out,
            **controls(held_out, config, np.array(run.mean_db), np.array(run.std_db)),
        }.items()
    }
    played = None
    if score is not None:
        played = playing(list(samples), held_out, score, config, transcriber)
    damaged_windows, damaged_count = damage(readers)
    return FreeRunning(
        seed=SEED,
        frames=frames,
        real_splits=tuple(others),
        real_windows=music.windows,
        average_precision=music.average_precision,
        intervals=music.reference.intervals if music.reference else None,
        judgments=judgments,
        failures=failures(judgments),
        damaged_windows=damaged_windows,
        damaged_count=damaged_count,
        playing=played,
    )


def _score(windows: Sequence[RealWindow]) -> Score:
    """The scores of windows of a dataset with the features that a model with notes needs."""
    notes, onsets = (
        [roll for each in windows if (roll := getattr(each, name)) is not None]
        for name in ("notes", "onsets")
    )
    return Score(np.stack(notes), np.stack(onsets))


def failures(judgments: Mapping[str, Judgment]) -> tuple[str, ...] | None:
    """What the measures judge wrongly, of all but the model; None where they judge nothing."""
    known = {name: each.unlike for name, each in judgments.items() if name != MODEL}
    if None in known.values():
        return None
    return tuple(name for name, unlike in known.items() if unlike == (name == HELD_OUT))
