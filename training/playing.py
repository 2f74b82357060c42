"""Does a model play the notes of a score? The onsets in what it plays, beside those of the score.

Onsets are heard in up to three ways: as peaks of the spectral flux of what is played, which know
nothing of notes; and once it is turned into sound, by a transcriber, whose notes must have the
right pitch, or may have any.

Notes follow so closely upon each other that some onsets are near others by chance: how many is
found by the scores of the other windows. And no transcriber hears all notes of a recording, so that
recordings of the scores are compared with them as well.
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
from training.inversion.audio import mel_to_audio
from training.measures.motion import onset_frames
from training.midi import Note
from training.models.score import Score
from training.rolls import notes_of_rolls
from training.transcription.decoding import decode
from training.transcription.predicting import chances_of_sound
from training.transcription.run import load_run
from training.transcription.scores import Agreement, agreement_of_notes, agreement_of_starts

PEAKS = "starts, as peaks of the flux"
STARTS = "starts, by the transcriber"
NOTES = "notes, by the transcriber"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnsetF:
    """The harmonic mean of precision and recall of onsets within 50 ms, from 0 to 1.

    All are means over windows: of what is `played` and its score; of the same and the scores of all
    other windows, which is what `chance` makes of it; and of `recordings` of the scores.
    """

    played: float
    chance: float
    recordings: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Playing:
    """The onsets of scores in what a model plays: `onsets` by how they are heard.

    `windows` is the number of those with notes; `transcriber` is None if none listened.
    """

    transcriber: str | None
    windows: int
    onsets: Mapping[str, OnsetF]


@dataclasses.dataclass(frozen=True, eq=False)
class _Onsets:
    """Notes, and the seconds in which something starts."""

    notes: Sequence[Note]
    starts: Sequence[float]


_Way = Callable[[_Onsets, _Onsets], Agreement | None]


def playing(
    played: Sequence[NDArray[Any]],
    recorded: Sequence[NDArray[Any]],
    score: Score,
    config: FeatureConfig,
    transcriber: str | None = None,
) -> Playing | None:
    """Compares windows `played` and `recorded` [frames, n_mels], in dB, with the `score`.

    The score has a piece for each window. Recorded windows are turned into sound as those played
    are. None where fewer than two pieces have notes. Raises `TrainingError` where `transcriber` is
    the run of none, or of one that was trained on other features than `config`.
    """
    rate = config.frames_per_second
    pieces = [notes_of_rolls(*rolls, rate) for rolls in zip(score.notes, score.onsets, strict=True)]
    kept = [number for number, notes in enumerate(pieces) if notes]
    if len(kept) < 2:
        return None
    true = [_of_notes(pieces[number]) for number in kept]
    sounds = [[each[number] for number in kept] for each in (played, recorded)]

    def compared(heard: Sequence[Sequence[_Onsets]], way: _Way) -> OnsetF:
        return _onset_f(way, true, *heard)

    peaks = [[_of_peaks(each, config) for each in windows] for windows in sounds]
    onsets = {PEAKS: compared(peaks, _by_starts)}
    if transcriber is not None:
        notes = _transcribed(sounds, transcriber, config)
        onsets |= {STARTS: compared(notes, _by_starts), NOTES: compared(notes, _by_notes)}
    return Playing(transcriber=transcriber, windows=len(kept), onsets=onsets)


def _transcribed(
    sounds: Sequence[Sequence[NDArray[Any]]], transcriber: str, config: FeatureConfig
) -> list[list[_Onsets]]:
    run, model = load_run(transcriber)
    if run.features != config:
        raise TrainingError(
            f"{transcriber}: was trained on other features than the model; train a transcriber on "
            "the same dataset"
        )

    def heard(log_mel: NDArray[Any]) -> _Onsets:
        samples = mel_to_audio(log_mel, config, seed=0)
        notes, onsets, _ = chances_of_sound(model, samples, config)
        return _of_notes(decode(notes, onsets, run.thresholds, config.frames_per_second))

    every = [log_mel for windows in sounds for log_mel in windows]
    each = progress.each(every, "listening", unit="windows", total=len(every))
    found = [heard(log_mel) for log_mel in each]
    return [found[: len(sounds[0])], found[len(sounds[0]) :]]


def _of_notes(notes: Sequence[Note]) -> _Onsets:
    return _Onsets(notes, sorted({note.start for note in notes}))


def _of_peaks(log_mel: NDArray[Any], config: FeatureConfig) -> _Onsets:
    """Half a frame before the center, as `rolls.notes_of_rolls` has starts."""
    frames = onset_frames(log_mel, config)
    return _Onsets((), (np.maximum(0.0, frames - 0.5) / config.frames_per_second).tolist())


def _by_starts(true: _Onsets, found: _Onsets) -> Agreement | None:
    return agreement_of_starts(true.starts, found.starts)


def _by_notes(true: _Onsets, found: _Onsets) -> Agreement | None:
    return agreement_of_notes(true.notes, found.notes)


def _onset_f(
    way: _Way, true: Sequence[_Onsets], played: Sequence[_Onsets], recorded: Sequence[_Onsets]
) -> OnsetF:
    def mean(pairs: Sequence[tuple[_Onsets, _Onsets]]) -> float:
        return float(np.mean([each.f for pair in pairs if (each := way(*pair)) is not None]))

    others = [
        (score, sound)
        for number, sound in enumerate(played)
        for score in (*true[:number], *true[number + 1 :])
    ]
    return OnsetF(
        played=mean(list(zip(true, played, strict=True))),
        chance=mean(others),
        recordings=mean(list(zip(true, recorded, strict=True))),
    )
