"""A composer beside baselines in bits per frame, and its pieces beside real music."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from schemas import Dataset
from schemas.shards import SPLITS
from training.composing.baselines import fit_chains
from training.composing.copies import Copies, find_copies
from training.composing.judging import RollJudge, RollJudgment
from training.composing.measures import independent_frames
from training.composing.runs import load_composer
from training.composing.sampling import compose
from training.composing.scoring import SplitScore, score_rolls
from training.composing.states import states_of
from training.composing.windows import Roll, open_rolls, rolls
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.measures.reference import Interval
from training.reading.reader import Reader

COMPOSED, HELD_OUT, CONTROL = "composed", "held-out music", "independent frames"

PIECES = 12
SEED = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComposerEvaluation:
    """Bits per frame on a split, and judgments of composed pieces.

    `intervals` are the 5th, 50th and 95th percentile of each measure over `real_windows` whole
    windows of the other splits; None, which means unknown, where they are too few. `judgments` are
    those of "composed", of "held-out music" and of "independent frames". `same_dataset` is whether
    the composer was trained on this very dataset: if not, it may know these recordings. `copies` is
    None for the training split, which has all in common with itself. `damaged_windows` describes
    some of the `damaged_count` damaged windows that were met.
    """

    run: str
    split: str
    score: SplitScore
    window_frames: int
    real_windows: int
    intervals: Mapping[str, Interval] | None
    judgments: Mapping[str, RollJudgment]
    same_dataset: bool
    copies: Copies | None
    damaged_windows: tuple[str, ...]
    damaged_count: int


def evaluate_composer(
    run_dir: str, data: str, split: str = "test", *, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> ComposerEvaluation:
    """Scores a composer on a split, and judges pieces that it composes, as long as a window.

    The baselines are fitted to the training split here. Measures are compared with the whole
    windows of all other splits; those of `split` are held-out music, which should be like them, and
    frames that are drawn without regard to each other are a control, which should not. Raises
    `TrainingError` where there is no composer, the dataset has other frames, the memory budget is
    too small, or nothing can be scored.
    """
    run, model = load_composer(run_dir)
    dataset = Dataset(data)
    run.require_frames(dataset)
    readers = _readers(dataset, split, memory_bytes)
    pitches, frames = run.model.pitches, dataset.config.window_frames
    training = (window.states(pitches) for window in rolls(readers["train"]))
    chains = fit_chains(training, run.model.n_pitches)
    score = score_rolls(rolls(readers[split]), model, chains)
    if score is None:
        raise TrainingError(
            f"{data}: no frame of split {split!r} can be scored: its windows are damaged, or of "
            "one frame; choose another split"
        )
    seeds = np.random.SeedSequence(SEED).generate_state(PIECES).tolist()
    notes, onsets = compose(model, frames, seeds=seeds)
    judge = RollJudge.of(_others(readers, split), frames, pitches, run.frames_per_second)
    windows = {
        COMPOSED: states_of(notes, onsets, pitches).numpy(),
        HELD_OUT: _whole(readers[split], frames, pitches),
        CONTROL: _control(_whole(readers[split], frames, pitches)),
    }
    judgments = {name: judge.judge(each) for name, each in windows.items()}
    copies = None
    if split != "train":
        copies = find_copies(list(onsets), rolls(readers[split]), rolls(readers["train"]))
    return ComposerEvaluation(
        run=run_dir,
        split=split,
        score=score,
        window_frames=frames,
        real_windows=judge.real_windows,
        intervals=judge.intervals,
        judgments={name: each for name, each in judgments.items() if each},
        same_dataset=dataset.manifest.fingerprint == run.fingerprint,
        copies=copies,
        damaged_windows=tuple(line for each in readers.values() for line in each.damaged),
        damaged_count=sum(each.damaged_count for each in readers.values()),
    )


def _readers(dataset: Dataset, split: str, memory_bytes: int) -> dict[str, Reader]:
    """Readers of the splits that hold windows, `split` among them."""
    names = [each for each in SPLITS if dataset.manifest.splits[each].windows]
    for needed in ("train", split):
        if needed not in names:
            raise TrainingError(
                f"{dataset.storage.root}: split {needed!r} is empty; choose another one"
            )
    readers = open_rolls(dataset, names, batch_size=1, memory_bytes=memory_bytes)
    return dict(zip(names, readers, strict=True))


def _others(readers: Mapping[str, Reader], split: str) -> Iterator[Roll]:
    for name, reader in readers.items():
        if name != split:
            yield from rolls(reader)


def _whole(reader: Reader, frames: int, pitches: tuple[int, int]) -> Iterator[NDArray[np.int32]]:
    """The states of the windows that have all `frames`."""
    return (each.states(pitches) for each in rolls(reader) if len(each.notes) == frames)


def _control(windows: Iterable[NDArray[np.int32]]) -> Iterator[NDArray[np.int32]]:
    generator = np.random.default_rng(SEED)
    return (independent_frames(each, generator) for each in windows)
