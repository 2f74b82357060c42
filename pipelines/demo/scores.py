"""The scores of the demo recordings: which they are, and their notes as written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.demo.instruments import CELLO, HARPSICHORD, PIANO, VIOLA, VIOLIN
from pipelines.errors import PipelineError

QUARTET = (VIOLIN, VIOLIN, VIOLA, CELLO)
TRIO = (VIOLIN, CELLO, PIANO, PIANO)
TWO_HANDS = (PIANO, PIANO)

_UNMARKED_DYNAMIC = 0.5
_LASTING_MARKS = ("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff")


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """A row of the catalog: the quarters from `first_quarter` on of a score in music21's corpus.

    `instruments` has a General MIDI program, counted from 1, for each part of the score.
    """

    recording_id: int
    split: str
    score: str
    composer: str
    composition: str
    movement: str
    ensemble: str
    catalog_name: str
    instruments: tuple[int, ...]
    quarters_per_minute: float
    quarters: float
    first_quarter: float = 0.0


# fmt: off
CATALOG: tuple[Excerpt, ...] = (
    Excerpt(9001, "train", "haydn/opus1no1/movement1.mxl", "Haydn", "Quartet No 1 in B-flat major",
            "1. Presto", "String Quartet", "OP1NO1", QUARTET, 162, 114.5),
    Excerpt(9002, "train", "haydn/opus74no1/movement1.mxl", "Haydn", "Quartet No 57 in C major",
            "1. Allegro", "String Quartet", "OP74NO1", QUARTET, 126, 88),
    Excerpt(9003, "train", "haydn/opus74no1/movement2.mxl", "Haydn", "Quartet No 57 in C major",
            "2. Andantino grazioso", "String Quartet", "OP74NO1", QUARTET, 48, 33),
    Excerpt(9004, "train", "mozart/k155/movement1.mxl", "Mozart", "String Quartet No 2 in D major",
            "1. Allegro", "String Quartet", "K155", QUARTET, 126, 88),
    Excerpt(9005, "train", "mozart/k458/movement3.mxl", "Mozart",
            "String Quartet No 17 in B-flat major", "3. Adagio", "String Quartet", "K458",
            QUARTET, 46, 32),
    Excerpt(9006, "train", "beethoven/opus18no1/movement1.mxl", "Beethoven",
            "String Quartet No 1 in F major", "1. Allegro con brio", "String Quartet", "OP18NO1",
            QUARTET, 152, 105),
    Excerpt(9007, "train", "bach/bwv846.mxl", "Bach",
            "WTK I, No. 1: Prelude and Fugue in C major", "1. Prelude", "Solo Piano", "BWV846",
            TWO_HANDS, 72, 48),
    Excerpt(9008, "train", "schumann_clara/polonaise_op1n1.mxl", "Clara Schumann",
            "Quatre polonaises", "1. Polonaise in E-flat major", "Solo Piano", "OP1",
            TWO_HANDS, 92, 60),
    Excerpt(9009, "train", "schumann_clara/polonaise_op1n3.mxl", "Clara Schumann",
            "Quatre polonaises", "3. Polonaise in D major", "Solo Piano", "OP1",
            TWO_HANDS, 92, 63),
    Excerpt(9010, "train", "cpebach/h186.mxl", "C. P. E. Bach", "Keyboard Sonata in A major",
            "2. Poco adagio", "Solo Harpsichord", "H186", (HARPSICHORD, HARPSICHORD), 52, 36),
    Excerpt(9011, "test", "mozart/k458/movement1.mxl", "Mozart",
            "String Quartet No 17 in B-flat major", "1. Allegro vivace assai", "String Quartet",
            "K458", QUARTET, 174, 120.5),
    Excerpt(9012, "test", "joplin/maple_leaf_rag.mxl", "Joplin", "Maple Leaf Rag",
            "1. Tempo di marcia", "Solo Piano", "JOPLIN1", TWO_HANDS, 92, 64.5),
    Excerpt(9013, "test", "schumann_clara/opus17/movement3.xml", "Clara Schumann",
            "Piano Trio in G minor", "3. Andante", "Piano Trio", "OP17", TRIO, 58, 39, 24),
)
# fmt: on
"""The excerpts of the set. One test recording shares its work with training, as in MusicNet."""


@dataclasses.dataclass(frozen=True)
class ScoreNote:
    """A written note with its ties merged; times are quarters from the excerpt's start.

    `dynamic` runs from 0 to 1 (p is 0.35, f is 0.7).
    """

    part: int
    pitch: int
    start: float
    length: float
    staccato: bool
    dynamic: float


@dataclasses.dataclass(frozen=True)
class Reading:
    """An excerpt as written; a beat, a bar and the start of the first whole bar in quarters."""

    notes: tuple[ScoreNote, ...]
    beat: float
    bar: float
    first_bar: float


def read_score(excerpt: Excerpt) -> Reading:
    """The notes of an excerpt, from music21's corpus; grace notes are left out."""
    try:
        from music21 import converter, corpus
    except ImportError:
        raise PipelineError(
            "the demo recordings are made from the scores of music21, which is not installed; "
            "in the project's folder, run: pip install '.[demo]'"
        ) from None
    # music21 would otherwise trust, and leave, pickles in a temporary folder that others can write.
    score: Any = converter.parse(corpus.getWork(excerpt.score), forceSource=True, storePickle=False)
    parts = [part.flatten() for part in score.parts]
    signature = parts[0].getElementsByClass("TimeSignature")[0]
    bar = float(signature.barDuration.quarterLength)
    first_measure = float(score.parts[0].getElementsByClass("Measure")[0].duration.quarterLength)
    played_by = list(zip(parts, excerpt.instruments, strict=True))
    notes: list[ScoreNote] = []
    for number, (part, instrument) in enumerate(played_by):
        keyboard = instrument in (PIANO, HARPSICHORD)
        hands = [other for other, code in played_by if keyboard and code == instrument]
        notes += _cut(_merge_ties(part, number, _dynamic_marks(hands or [part])), excerpt)
    return Reading(
        tuple(sorted(notes, key=lambda note: (note.start, note.part, note.pitch))),
        4.0 / signature.denominator,
        bar,
        (first_measure - excerpt.first_quarter) % bar,
    )


def _dynamic_marks(parts: Sequence[Any]) -> list[tuple[float, float]]:
    """(quarter, loudness) of the marks that last until the next, sorted."""
    marks = {
        (float(mark.offset), float(mark.volumeScalar))
        for part in parts
        for mark in part.getElementsByClass("Dynamic")
        if mark.value in _LASTING_MARKS
    }
    return sorted(marks)


def _merge_ties(
    part: Any, number: int, marks: Sequence[tuple[float, float]]
) -> Iterable[ScoreNote]:
    """The part's notes in time from the score's start; one pitch never overlaps itself."""
    quarters = [quarter for quarter, _ in marks]
    merged: list[ScoreNote] = []
    latest: dict[int, int] = {}
    for element in part.notes:
        if element.duration.isGrace:
            continue
        start, length = float(element.offset), float(element.quarterLength)
        place = int(np.searchsorted(quarters, start, side="right"))
        dynamic = marks[place - 1][1] if place else _UNMARKED_DYNAMIC
        staccato = any("Staccat" in mark.classes[0] for mark in element.articulations)
        for tone in element.notes if element.isChord else (element,):
            pitch = int(tone.pitch.midi)
            before = merged[latest[pitch]] if pitch in latest else None
            if before is not None and before.start + before.length > start - 1e-6:
                tied = tone.tie is not None and tone.tie.type in ("stop", "continue")
                end = max(before.start + before.length, start + length)
                if tied or before.start == start:
                    merged[latest[pitch]] = dataclasses.replace(before, length=end - before.start)
                    continue
                merged[latest[pitch]] = dataclasses.replace(before, length=start - before.start)
            latest[pitch] = len(merged)
            merged.append(ScoreNote(number, pitch, start, length, staccato, dynamic))
    return merged


def _cut(notes: Iterable[ScoreNote], excerpt: Excerpt) -> list[ScoreNote]:
    """The notes that start within the excerpt, in its time, ended where it ends."""
    return [
        dataclasses.replace(note, start=start, length=min(note.length, excerpt.quarters - start))
        for note in notes
        if 0 <= (start := note.start - excerpt.first_quarter) < excerpt.quarters
    ]
