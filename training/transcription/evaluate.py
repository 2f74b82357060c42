"""How well a transcriber hears the notes of a split."""

from __future__ import annotations

import dataclasses

from schemas import Dataset
from training.config import DEFAULT_MEMORY_BYTES
from training.reading.opening import open_splits
from training.transcription.model import OUTPUTS
from training.transcription.predicting import hear
from training.transcription.run import load_run
from training.transcription.scores import (
    Agreement,
    average_precision_by_pitch,
    frame_agreement,
    mean_onset_agreement,
    onset_agreement,
    pooled_average_precision,
)
from training.works import SharedWorks, works_shared_with_training


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordingNotes:
    """The figures of one recording, as those of `TranscriptionScores`; None where none sounds."""

    recording_id: str
    frames: int
    average_precision: float | None
    onsets: Agreement | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriptionScores:
    """The notes of a split as a transcriber hears them, from 0 to 1; None where none sounds.

    `average_precision` is that of all frames and 128 notes ranked together, and
    `average_precision_by_pitch` the mean over the pitches that sound. `frame_agreement` and
    `onsets` are at the thresholds of the run; the latter are means over recordings. `same_dataset`
    is whether the transcriber was trained on this very dataset: if not, it may know these
    recordings. `works` counts the recordings that play a work that training recordings play too.
    """

    run: str
    split: str
    frames: int
    average_precision: float | None
    average_precision_by_pitch: float | None
    frame_agreement: Agreement
    onsets: Agreement | None
    recordings: tuple[RecordingNotes, ...]
    same_dataset: bool
    works: SharedWorks
    damaged_windows: tuple[str, ...]
    damaged_count: int


def evaluate_transcriber(
    run_dir: str, data: str, split: str = "test", *, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> TranscriptionScores:
    """Transcribes the valid frames of a split, window by window, and compares them with its notes.

    Raises `TrainingError` where there is no transcriber, the dataset has other features than it
    hears, the memory budget is too small, or the split is empty.
    """
    run, model = load_run(run_dir)
    dataset = Dataset(data)
    run.require_features(dataset)
    (reader,) = open_splits(
        dataset,
        (split,),
        batch_size=run.config.batch_size,
        memory_bytes=memory_bytes,
        features=(*run.config.inputs, *OUTPUTS),
    )
    heard = hear(model, reader)
    thresholds, rate = run.thresholds, run.features.frames_per_second
    return TranscriptionScores(
        run=run_dir,
        split=split,
        frames=sum(len(each.notes) for each in heard.values()),
        average_precision=pooled_average_precision(heard),
        average_precision_by_pitch=average_precision_by_pitch(heard),
        frame_agreement=frame_agreement(heard, thresholds.notes),
        onsets=mean_onset_agreement(heard, thresholds, rate),
        recordings=tuple(
            RecordingNotes(
                recording_id=name,
                frames=len(each.notes),
                average_precision=pooled_average_precision({name: each}),
                onsets=onset_agreement(each, thresholds, rate),
            )
            for name, each in heard.items()
        ),
        same_dataset=dataset.manifest.fingerprint == run.fingerprint,
        works=works_shared_with_training(dataset, set(heard)),
        damaged_windows=tuple(reader.damaged),
        damaged_count=reader.damaged_count,
    )
