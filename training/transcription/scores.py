"""How well notes are found: average precision, frames, and onsets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray

from training.measures.transcriber import average_precision
from training.midi import Note
from training.rolls import notes_of_rolls
from training.transcription.decoding import Thresholds, decode

ONSET_SECONDS = 0.05
"""How far a note's start may be from the true one, as in MIREX and mir_eval."""

ONSET_THRESHOLDS = tuple(number / 20 for number in range(1, 19))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Heard:
    """The valid frames of a recording, in order: what was played, and what a model makes of it.

    `notes` and `onsets` are uint8 [frames, 128], `note_chances` and `onset_chances` float32 of the
    same shape, from 0 to 1.
    """

    notes: NDArray[np.uint8]
    onsets: NDArray[np.uint8]
    note_chances: NDArray[np.float32]
    onset_chances: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Precision, recall, and their harmonic mean, from 0 to 1."""

    precision: float
    recall: float
    f: float

    @classmethod
    def of_counts(cls, right: float, found: float, true: float) -> Agreement:
        """Of `found` things `right` ones are among the `true` ones; 0 where there are none.

        Examples:
            >>> Agreement.of_counts(right=2, found=4, true=2)
            Agreement(precision=0.5, recall=1.0, f=0.6666666666666666)
        """
        return cls(
            right / found if found else 0.0,
            right / true if true else 0.0,
            2 * right / (found + true) if found + true else 0.0,
        )


def pooled_average_precision(heard: Mapping[str, Heard]) -> float | None:
    """One average precision over all frames and notes of all recordings: that of MusicNet's papers.

    Thickstun, Harchaoui and Kakade (2017), Learning Features of Music from Scratch. None where
    nothing sounds.
    """
    return average_precision(*_pooled(heard))


def average_precision_by_pitch(heard: Mapping[str, Heard]) -> float | None:
    """The mean of the average precisions of each pitch that sounds, each of equal weight."""
    notes, chances = _pooled(heard)
    pitches = np.flatnonzero(notes.any(axis=0))
    each = [average_precision(notes[:, pitch], chances[:, pitch]) for pitch in pitches]
    return float(np.mean([value for value in each if value is not None])) if each else None


def frame_agreement(heard: Mapping[str, Heard], threshold: float) -> Agreement:
    """Of all frames and notes of all recordings: those whose chance reaches the threshold."""
    notes, chances = _pooled(heard)
    found = chances >= threshold
    right = float((found & (notes != 0)).sum())
    return Agreement.of_counts(right, float(found.sum()), float(notes.sum(dtype=np.int64)))


def onset_agreement(
    heard: Heard, thresholds: Thresholds, frames_per_second: float
) -> Agreement | None:
    """`agreement_of_notes` for those that a model hears in a recording."""
    true = notes_of_rolls(heard.notes, heard.onsets, frames_per_second)
    found = decode(heard.note_chances, heard.onset_chances, thresholds, frames_per_second)
    return agreement_of_notes(true, found)


def agreement_of_notes(true: Sequence[Note], found: Sequence[Note]) -> Agreement | None:
    """Of the `true` notes: those `found` with the right pitch, starting within `ONSET_SECONDS`.

    Ends do not count. None where there is no true note.
    """
    if not true:
        return None
    if not found:
        return Agreement(0.0, 0.0, 0.0)
    precision, recall, f, _ = mir_eval.transcription.precision_recall_f1_overlap(
        *_intervals(true), *_intervals(found), onset_tolerance=ONSET_SECONDS, offset_ratio=None
    )
    return Agreement(float(precision), float(recall), float(f))


def agreement_of_starts(true: Sequence[float], found: Sequence[float]) -> Agreement | None:
    """As `agreement_of_notes`, of starts in seconds, sorted, whatever their pitches.

    Examples:
        >>> agreement_of_starts([1.0, 2.0], [1.01, 1.5])
        Agreement(precision=0.5, recall=0.5, f=0.5)
    """
    if not len(true):
        return None
    if not len(found):
        return Agreement(0.0, 0.0, 0.0)
    f, precision, recall = mir_eval.onset.f_measure(
        np.asarray(true), np.asarray(found), window=ONSET_SECONDS
    )
    return Agreement(float(precision), float(recall), float(f))


def mean_onset_agreement(
    heard: Mapping[str, Heard], thresholds: Thresholds, frames_per_second: float
) -> Agreement | None:
    """The means over the recordings that hold notes; None where there are none."""
    each = [onset_agreement(one, thresholds, frames_per_second) for one in heard.values()]
    counted = [dataclasses.astuple(one) for one in each if one is not None]
    return Agreement(*np.mean(counted, axis=0).tolist()) if counted else None


def best_thresholds(heard: Mapping[str, Heard], frames_per_second: float) -> Thresholds:
    """Those with the best harmonic means: of frames, and then of onsets among `ONSET_THRESHOLDS`.

    The first of equals; 0.5 where nothing sounds.
    """
    notes = best_threshold(*_pooled(heard))
    choices = [Thresholds(notes, onsets) for onsets in ONSET_THRESHOLDS]
    scores = [mean_onset_agreement(heard, each, frames_per_second) for each in choices]
    if None in scores:
        return Thresholds(notes, 0.5)
    return choices[int(np.argmax([each.f for each in scores if each is not None]))]


def best_threshold(sounding: NDArray[Any], chances: NDArray[Any]) -> float:
    """The threshold with the best harmonic mean of precision and recall; 0.5 if nothing sounds.

    Examples:
        >>> best_threshold(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.7, 0.1]))
        0.7
    """
    order = np.argsort(-chances.ravel(), kind="stable")
    ranked, truth = chances.ravel()[order], sounding.ravel()[order] != 0
    true = int(truth.sum())
    if not true:
        return 0.5
    last_of_equals = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    f = 2 * np.cumsum(truth)[last_of_equals] / (last_of_equals + 1 + true)
    return float(ranked[last_of_equals[f.argmax()]])


def _pooled(heard: Mapping[str, Heard]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What sounds, and its chance, in all frames of all recordings: [frames, 128]."""
    every = list(heard.values())
    return (
        np.concatenate([each.notes for each in every]),
        np.concatenate([each.note_chances for each in every]),
    )


def _intervals(notes: Sequence[Note]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Starts and ends in seconds [notes, 2], and frequencies in Hz [notes], as mir_eval takes."""
    pitches = np.array([note.pitch for note in notes])
    return np.array([(note.start, note.end) for note in notes]), mir_eval.util.midi_to_hz(pitches)
