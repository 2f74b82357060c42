"""A small set of recordings in MusicNet's layout: real scores, played by a synthesizer.

The scores are those that music21 ships. Each excerpt is performed (tempo, accents, dynamics, the
players' small differences in time), rendered at 44.1 kHz and written with labels that are exact to
the sample, so that everything that reads MusicNet can be tried without it.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.random import PCG64, Generator

from musicnet_duet.progress import each
from pipelines.audio.float_wav import float_wav_bytes
from pipelines.demo.scores import CATALOG, Excerpt, Reading, ScoreNote, read_score
from pipelines.demo.synthesis import SAMPLE_RATE, Note, render
from pipelines.errors import PipelineError
from pipelines.recordings.metadata import METADATA_FILE
from schemas import Storage
from schemas.storage import TEMPORARY_PREFIX
from schemas.tables import LABELS, METADATA_COLUMNS

NOTE_VALUES: Mapping[str, float] = {
    f"{prefix}{name}": factor * 4.0 / 2**halvings
    for prefix, factor in (("", 1.0), ("Dotted ", 1.5), ("Triplet ", 2 / 3))
    for halvings, name in enumerate(
        ("Whole", "Half", "Quarter", "Eighth", "Sixteenth", "Thirty Second", "Sixty Fourth")
    )
}
"""Quarters in each of the names that MusicNet has for written lengths."""

_METADATA_HEADER = ("id", *(name for name in METADATA_COLUMNS if name != "license"), "seconds")

_KINDS = (_AUDIO, _LABELS) = (("data", "wav"), ("labels", "csv"))
_LEAD_IN_SECONDS = 0.4
_TAIL_SECONDS = 1.6
_SHORTEST_SECONDS = 0.03


@dataclasses.dataclass(frozen=True)
class DemoSummary:
    """What was written, in numbers of recordings and seconds of audio."""

    path: str
    recordings: int
    train: int
    test: int
    seconds: float


def write_demo_data(out: str | os.PathLike[str]) -> DemoSummary:
    """Renders the catalog into the folder `out`, in MusicNet's layout; about nine minutes of it.

    Two runs write the same bytes. Each file appears when it is whole, the metadata last; what an
    interrupted run left is written again. Raises `PipelineError` where `out` holds something else
    or music21 is not installed.
    """
    storage = Storage(out)
    own = {_file(excerpt, *each) for excerpt in CATALOG for each in _KINDS}
    foreign = set(storage.list_files()) - own
    if any(not name.rpartition("/")[2].startswith(TEMPORARY_PREFIX) for name in foreign):
        raise PipelineError(
            f"{storage.root}: is not empty, and nothing in it will be replaced; "
            "name a new folder, or remove this one first"
        )
    samples = {}
    for excerpt in each(CATALOG, "rendering", unit="recordings", total=len(CATALOG)):
        reading = read_score(excerpt)
        notes = perform(excerpt, reading)
        length = max(note.end_sample for note in notes) + round(_TAIL_SECONDS * SAMPLE_RATE)
        waveform = render(notes, length, excerpt.recording_id)
        storage.write_bytes(_file(excerpt, *_AUDIO), float_wav_bytes(waveform))
        storage.write_bytes(_file(excerpt, *_LABELS), _label_bytes(reading, notes))
        samples[excerpt.recording_id] = length
    storage.write_bytes(METADATA_FILE, _metadata_bytes(samples))
    train = sum(excerpt.split == "train" for excerpt in CATALOG)
    seconds = sum(samples.values()) / SAMPLE_RATE
    return DemoSummary(storage.root, len(CATALOG), train, len(CATALOG) - train, seconds)


def _file(excerpt: Excerpt, kind: str, ending: str) -> str:
    return f"{excerpt.split}_{kind}/{excerpt.recording_id}.{ending}"


def perform(excerpt: Excerpt, reading: Reading) -> list[Note]:
    """What is played for each of the reading's notes, in their order.

    Four-bar phrases swell and hurry by a few per cent, the last bar slows down, and no two players
    are together to the millisecond.
    """
    rng = Generator(PCG64(excerpt.recording_id))
    phrase = 4 * reading.bar
    quarters = np.arange(0, excerpt.quarters + 1 / 32, 1 / 16)
    slowing = np.clip((quarters - excerpt.quarters) / reading.bar + 1, 0, 1)
    swell = np.sin(2 * np.pi * (quarters - reading.first_bar) / phrase - 0.5)
    tempo = excerpt.quarters_per_minute * (1 + 0.03 * swell) * (1 - 0.22 * slowing**2)
    seconds = _LEAD_IN_SECONDS + np.append(0, np.cumsum(60 / 16 / tempo[:-1]))
    played = []
    for note in reading.notes:
        apart = float(np.clip(rng.normal(0, 0.006), -0.015, 0.015))
        start, stop = np.interp([note.start, note.start + sounding(note)], quarters, seconds)
        start += apart
        stop = max(stop, start + _SHORTEST_SECONDS)
        velocity = 0.2 + 0.8 * note.dynamic + _accent(note, reading) + rng.normal(0, 0.02)
        velocity += 0.04 * np.interp(note.start, quarters, swell) + 0.07 * (note.part == 0)
        played.append(
            Note(
                round(start * SAMPLE_RATE),
                round(stop * SAMPLE_RATE),
                note.pitch,
                float(np.clip(velocity, 0.05, 1.0)),
                excerpt.instruments[note.part],
            )
        )
    return played


def sounding(note: ScoreNote) -> float:
    """Quarters for which a note is held: a little less than is written, half under a dot."""
    return note.length * (0.5 if note.staccato else 0.95)


def _accent(note: ScoreNote, reading: Reading) -> float:
    position = (note.start - reading.first_bar) % reading.bar
    if position == 0:
        return 0.06
    return 0.02 if position % reading.beat == 0 else -0.02


def note_value(quarters: float) -> str:
    """The name whose length is nearest in proportion."""
    return min(NOTE_VALUES, key=lambda name: abs(math.log(NOTE_VALUES[name] / quarters)))


def _label_bytes(reading: Reading, played: Sequence[Note]) -> bytes:
    rows = [
        (
            note.start_sample,
            note.end_sample,
            note.instrument,
            note.pitch,
            _decimal(written.start / reading.beat),
            _decimal(sounding(written) / reading.beat),
            note_value(written.length),
        )
        for written, note in zip(reading.notes, played, strict=True)
    ]
    return _csv_bytes(LABELS.names, sorted(rows), csv.QUOTE_MINIMAL)


def _metadata_bytes(samples: Mapping[int, int]) -> bytes:
    rows = [
        (
            excerpt.recording_id,
            excerpt.composer,
            excerpt.composition,
            excerpt.movement,
            excerpt.ensemble,
            "Synthesized",
            "music21 corpus",
            excerpt.catalog_name,
            round(samples[excerpt.recording_id] / SAMPLE_RATE),
        )
        for excerpt in CATALOG
    ]
    return _csv_bytes(_METADATA_HEADER, rows, csv.QUOTE_NONNUMERIC)


def _csv_bytes(
    header: Sequence[str], rows: Iterable[Sequence[object]], quoting: Literal[0, 2]
) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _decimal(value: float) -> str:
    """Twelve significant digits and always a point, as MusicNet writes beats."""
    text = f"{value:.12g}"
    return text if "." in text or "e" in text else f"{text}.0"
