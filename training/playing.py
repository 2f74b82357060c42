"""Does a model play the notes of a score? Onsets in what it plays, beside those of the score.

What it plays is turned into sound, and heard in three ways: by a transcriber, whose notes must have
the right pitches; by the same, whatever the pitches; and by peaks of the spectral flux, which know
nothing of notes. Notes follow so closely upon each other that many onsets lie near another by
chance: how many is found by the scores of the other windows. And no transcriber hears all notes of
a recording, which is the most that can be asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet import progress
from schemas import FeatureConfig
from training.errors import TrainingError
from training.inversion.audio import audio_to_log_mel, mel_to_audio
from training.measures.motion import onset_frames
from training.midi import Note
from training.models.score import Score
from training.rolls import notes_of_rolls
from training.transcription.decoding import decode
from training.transcription.predicting import chances_of_sound
from training.transcription.run import load_run
from training.transcription.scores import Agreement, agreement_of_notes, agreement_of_starts

NOTES = "notes, by the transcriber"
STARTS = "starts, by the transcriber"
PEAKS = "starts, by peaks of the flux"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnsetF:
    """The harmonic mean of precision and recall of onsets within 50 ms, from 0 to 1.

    All are means over windows: of what is `played` and its score; of the same and each of the other
    windows' scores, which is what `chance` makes of it; and of `recordings` of the scores.
    """

    played: float
    chance: float
    recordings: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Playing:
    """The onsets of scores in what a model plays: `onsets` by how they are heard."""

    transcriber: str
    windows: int
    onsets: Mapping[str, OnsetF]


@dataclasses.dataclass(frozen=True, eq=False)
class _Onsets:
    """The notes of a score or a sound, and the seconds in which notes start, and peaks lie."""

    notes: Sequence[Note]
    starts: Sequence[float]
    peaks: Sequence[float]


_WAYS: Mapping[str, Callable[[_Onsets, _Onsets], Agreement | None]] = {
    NOTES: lambda true, found: agreement_of_notes(true.notes, found.notes),
    STARTS: lambda true, found: agreement_of_starts(true.starts, found.starts),
    PEAKS: lambda true, found: agreement_of_starts(true.starts, found.peaks),
}


def playing(
    played: Sequence[NDArray[Any]],
    recorded: Sequence[NDArray[Any]],
    score: Score,
    transcriber: str,
    config: FeatureConfig,
) -> Playing:
    """Compares windows that were `played` and `recorded` [frames, n_mels], in dB, with the `score`.

    The score has a piece for each window. Recorded windows are turned into sound like those played.
    Raises `TrainingError` where `transcriber` is none, or hears other features than `config`, and
    where there are no two windows with notes.
    """
    run, model = load_run(transcriber)
    if run.features != config:
        raise TrainingError(
            f"{transcriber}: was trained on other features than the model; train a transcriber on "
            "the same dataset"
        )
    rate = config.frames_per_second
    true = [
        _Onsets(notes, _starts(notes), ())
        for notes in (
            notes_of_rolls(*rolls, rate) for rolls in zip(score.notes, score.onsets, strict=True)
        )
    ]

    def heard(log_mel: NDArray[Any]) -> _Onsets:
        length = (len(log_mel) - 1) * config.hop_length
        samples = mel_to_audio(log_mel, config, length=length, seed=0)
        note_chances, onset_chances, _ = chances_of_sound(model, samples, config)
        notes = decode(note_chances, onset_chances, run.thresholds, rate)
        peaks = onset_frames(audio_to_log_mel(samples, config), config)
        return _Onsets(notes, _starts(notes), _seconds(peaks, rate))

    kept = [number for number, each in enumerate(true) if each.notes]
    if len(kept) < 2:
        raise TrainingError("fewer than two windows have notes, so there is nothing to compare")
    each = progress.each(
        [*(played[number] for number in kept), *(recorded[number] for number in kept)],
        "listening",
        unit="windows",
        total=2 * len(kept),
    )
    found = [heard(log_mel) for log_mel in each]
    scores = [true[number] for number in kept]
    return Playing(
        transcriber=transcriber,
        windows=len(kept),
        onsets={
            name: _onset_f(way, scores, found[: len(kept)], found[len(kept) :])
            for name, way in _WAYS.items()
        },
    )


def _onset_f(
    way: Callable[[_Onsets, _Onsets], Agreement | None],
    scores: Sequence[_Onsets],
    played: Sequence[_Onsets],
    recorded: Sequence[_Onsets],
) -> OnsetF:
    def mean(pairs: Sequence[tuple[_Onsets, _Onsets]]) -> float:
        agreements = [way(*pair) for pair in pairs]
        return float(np.mean([each.f for each in agreements if each is not None]))

    own = zip(scores, played, strict=True)
    others = [
        (other, sound)
        for number, sound in enumerate(played)
        for other in (*scores[:number], *scores[number + 1 :])
    ]
    return OnsetF(
        played=mean(list(own)),
        chance=mean(others),
        recordings=mean(list(zip(scores, recorded, strict=True))),
    )


def _starts(notes: Sequence[Note]) -> list[float]:
    return sorted({note.start for note in notes})


def _seconds(frames: NDArray[np.int64], frames_per_second: float) -> list[float]:
    """As `rolls.notes_of_rolls` has starts: half a frame before the center."""
    return (np.maximum(0.0, frames - 0.5) / frames_per_second).tolist()
