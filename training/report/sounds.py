"""What a run's model plays, and the real windows that it is heard beside."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.pages.players import MOST_SAMPLES
from musicnet_duet.progress import ProgressDisplay, each
from schemas import Dataset, FeatureConfig
from schemas.features import WAVEFORM_SCALE
from training.config import DEFAULT_MEMORY_BYTES
from training.errors import TrainingError
from training.inversion import mel_to_audio
from training.models.score import Score
from training.reading.opening import open_dataset
from training.runs import Run
from training.sampled_windows import sampled_windows

SOUNDS = 3
_CANDIDATES = 12
"""Windows that are looked at, for long ones of different recordings."""

Item = Mapping[str, Any]
"""An example of a reader."""

_SPLITS = ("validation", "test", "train")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Excerpt:
    """Something to look at and to listen to.

    `log_mel` [frames, n_mels] is in dB, `samples` [any] are from -1 to 1 at the features' rate.
    `notes` and `onsets` [frames, 128] are those of the score, where there is one.
    """

    title: str
    log_mel: NDArray[Any]
    samples: NDArray[Any]
    notes: NDArray[Any] | None = None
    onsets: NDArray[Any] | None = None


def real_excerpts(dataset: Dataset) -> list[Excerpt]:
    """Windows of the validation split, or of another one where it has none: `SOUNDS` at most.

    They are spread over the split, and as long as a player plays. Where the dataset has no
    waveform, their sound is made from the spectrogram, as that of samples is. Raises
    `TrainingError` where no window can be read.
    """
    config, root = dataset.config, dataset.storage.root
    filled = [split for split in _SPLITS if dataset.manifest.splits[split].windows]
    if not filled:
        raise TrainingError(f"{root}: holds no window; use another dataset")
    reader = open_dataset(
        root,
        filled[0],
        features=config.features,
        batch_size=1,
        memory_bytes=max(DEFAULT_MEMORY_BYTES, 8 * config.window_bytes),
    )
    with reader:
        count = min(_CANDIDATES, len(reader))
        positions = np.linspace(0, len(reader) - 1, count).astype(int).tolist()
        items = [item for position in positions if (item := reader.get(position)) is not None]
    if not items:
        raise TrainingError(f"{root}: all windows looked at are damaged; use another dataset")
    kept = _chosen(items)
    return [
        _real_excerpt(item, filled[0], config)
        for item in each(kept, "reading", unit="windows", total=len(kept))
    ]


def sampled_excerpts(run_dir: str, run: Run, real: Sequence[Excerpt]) -> list[Excerpt]:
    """What the last checkpoint of a run plays: the scores of `real`, if the model hears notes.

    Otherwise it makes up `SOUNDS` excerpts. The same run, excerpts and machine give the same ones.
    """
    config = run.features
    frames, score = _frames(config), None
    count = SOUNDS
    if "notes" in run.model.hears:
        rolls = [(excerpt.notes, excerpt.onsets) for excerpt in real]
        frames = max(len(excerpt.log_mel) for excerpt in real)
        score = Score(*(_padded(each, frames) for each in zip(*rolls, strict=True)))
        count = len(real)
    with ProgressDisplay("sampling", unit="samples", total=count) as progress:
        levels = sampled_windows(run_dir, windows=count, frames=frames, seed=0, score=score)
        progress.update(count)
    made = []
    numbered = each(range(count), "making sound", unit="samples", total=count)
    for number in numbered:
        log_mel, notes, onsets = levels[number], None, None
        title = f"Sample {number + 1}"
        if score is not None:
            notes, onsets = real[number].notes, real[number].onsets
            log_mel = log_mel[: len(real[number].log_mel)]
            title = f"{real[number].title}, as the model plays it"
        samples = mel_to_audio(log_mel, config, seed=0)
        made.append(
            Excerpt(title=title, log_mel=log_mel, samples=samples, notes=notes, onsets=onsets)
        )
    return made


def _chosen(items: Sequence[Item]) -> list[Item]:
    """`SOUNDS` of some windows, in their order: the longest one of each recording comes first."""
    longest = sorted(range(len(items)), key=lambda number: -items[number]["valid_frames"])
    of_recording: Counter[str] = Counter()
    ranks = {}
    for number in longest:
        name = items[number]["recording_id"]
        ranks[number] = of_recording[name]
        of_recording[name] += 1
    kept = sorted(longest, key=ranks.__getitem__)[:SOUNDS]
    return [items[number] for number in sorted(kept)]


def _real_excerpt(item: Item, split: str, config: FeatureConfig) -> Excerpt:
    kept = min(item["valid_frames"], _frames(config))
    start = item["first_frame"] / config.frames_per_second
    log_mel = item["log_mel"][:kept]
    if "waveform" in item:
        samples = item["waveform"][: kept * config.hop_length] / WAVEFORM_SCALE
    else:
        samples = mel_to_audio(log_mel, config, seed=0)
    notes, onsets = (item[name][:kept] if name in item else None for name in ("notes", "onsets"))
    return Excerpt(
        title=f"Recording {item['recording_id']} from {start:.1f} s ({split})",
        log_mel=log_mel,
        samples=samples,
        notes=notes,
        onsets=onsets,
    )


def _frames(config: FeatureConfig) -> int:
    """The frames of a window, but no more than a player plays."""
    return min(config.window_frames, MOST_SAMPLES // config.hop_length)


def _padded(rolls: Sequence[Any], frames: int) -> NDArray[np.uint8]:
    """Piano rolls, uint8 [rolls, frames, 128], silent after the end of each."""
    return np.stack([np.pad(roll, [(0, frames - len(roll)), (0, 0)]) for roll in rolls])
