"""The tables and charts of a page about a dataset; nothing here reads a file."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.pages.charts import Axis, histogram
from musicnet_duet.pages.html import Cell, Markup, element, number, picture, section, table
from musicnet_duet.pages.settings import settings_table
from pipelines.report.tally import LEVELS_DB, Tally, shares
from pipelines.summary import DatasetSummary
from schemas import FeatureConfig, Manifest
from schemas.reject_reasons import RejectReason
from schemas.rejects import reason_of
from schemas.shards import SPLITS

Rows = Sequence[Mapping[str, Any]]
"""Rows of `tables.RECORDINGS`."""

Tallies = Mapping[str, Tally]
"""By split, of the splits with windows."""

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_ROOM = 3
"""Levels, and pitches, beside those that occur, which a chart shows as well."""


def splits_section(summary: DatasetSummary, rows: Rows) -> Markup:
    """How large the splits are, how long their recordings, and the works that they share."""
    sizes: list[list[Cell]] = []
    durations: list[list[Cell]] = []
    for split in SPLITS:
        figures = summary.splits[split]
        counts = (figures.recordings, figures.works, figures.windows, figures.notes)
        sizes.append([split, *counts, number(figures.minutes / 60, 3)])
        seconds = sorted(row["samples"] / row["sample_rate"] for row in rows_of(split, rows))
        if seconds:
            figures_of = (seconds[0], statistics.median(seconds), seconds[-1])
            durations.append([split, *(number(each, 1) for each in figures_of)])
    return section(
        "Splits",
        table(
            "Size of the splits",
            ["split", "recordings", "works", "windows", "notes", "hours (h)"],
            sizes,
        ),
        table(
            "Durations of the recordings",
            ["split", "shortest (s)", "median (s)", "longest (s)"],
            durations,
        ),
        *_shared_works(summary),
    )


def rejects_section(summary: DatasetSummary) -> Markup:
    """What was rejected, and what was only noticed, by reason."""
    content = []
    for caption, counts in (
        ("Rejected, by reason", summary.rejects),
        ("Noticed, without a loss, by reason", summary.notices),
    ):
        rows: list[list[Cell]] = [
            [code, count, *_explained(code)] for code, count in counts.items()
        ]
        if rows:
            content.append(table(caption, ["reason", "count", "meaning", "remedy"], rows))
    if not summary.rejects:
        content.insert(0, element("p", "Nothing was rejected."))
    return section("Rejects", *content)


def levels_section(rows: Rows, tallies: Tallies, config: FeatureConfig) -> Markup:
    """How loud the mel bins are, how much is silent, and how many samples were clipped."""
    content = []
    if "log_mel" in config.features:
        content.append(_levels_chart(tallies))
    table_rows: list[list[Cell]] = []
    for split, tally in tallies.items():
        own = rows_of(split, rows)
        levels: list[Cell] = [_decibels(tally.level_at(share)) for share in (0.05, 0.5, 0.95)]
        seconds = tally.silent / config.frames_per_second
        silent = [number(seconds, 1), number(100 * tally.silent / max(1, tally.frames), 2)]
        clipped = [row["clipped_samples"] or 0 for row in own]
        counted: list[Cell] = [sum(clipped), sum(map(bool, clipped))]
        if "waveform" not in config.features:
            counted = ["unknown", "unknown"]
        table_rows.append([split, *levels, *silent, *counted])
    header = ["split", "5 % (dB)", "median (dB)", "95 % (dB)", "silent (s)", "silent (%)",
              "clipped samples", "recordings clipped"]  # fmt: skip
    content += [
        table("Levels of the mel bins, silence and clipping", header, table_rows),
        element("p", _SILENCE, class_="soft"),
    ]
    return section("Levels", *content)


_SILENCE = (
    "Silent frames have nothing above the lowest level that the dataset can hold. Clipped samples "
    "lay beyond full scale after resampling, and were saturated."
)


def notes_section(tallies: Tallies, config: FeatureConfig) -> Markup:
    """Which pitches sound for how long, and how many at the same time."""
    counted = sum((each.pitches for each in tallies.values()), start=Tally.zero().pitches)
    if not counted.any():
        return section("Notes", element("p", "No note sounds in any window."))
    most = max(int(np.flatnonzero(each.polyphony)[-1]) for each in tallies.values())
    low, high = (int(np.flatnonzero(counted)[end]) for end in (0, -1))
    rows: list[list[Cell]] = []
    for split, tally in tallies.items():
        seconds = tally.pitches.sum() / config.frames_per_second
        found = np.flatnonzero(tally.pitches)
        extremes: list[Cell] = ["none", "none", "none"]
        if len(found):
            extremes = [
                pitch_name(int(each)) for each in (found[0], tally.pitches.argmax(), found[-1])
            ]
        mean = tally.pitches.sum() / max(1, tally.frames)
        without = 100 * tally.polyphony[0] / max(1, tally.frames)
        largest = int(np.flatnonzero(tally.polyphony)[-1])
        rows.append(
            [split, number(seconds, 0), *extremes, number(mean, 2), largest, number(without, 1)]
        )
    octaves = [(each, pitch_name(each)) for each in range(0, 128, 12) if low <= each <= high]
    shown = slice(max(0, low - _ROOM), high + _ROOM + 1)
    return section(
        "Notes",
        _chart(
            {split: shares(tally.pitches)[shown] for split, tally in tallies.items()},
            shown.start,
            Axis(label="pitch", ticks=octaves),
            "share of sounding time (%)",
            f"How long each pitch sounds: from {pitch_name(low)} to {pitch_name(high)}",
        ),
        _chart(
            {split: shares(tally.polyphony)[: most + 1] for split, tally in tallies.items()},
            0,
            Axis(label="pitches that sound together"),
            "share of frames (%)",
            f"Polyphony: up to {most} pitches sound together",
        ),
        table(
            "Notes that sound in the windows",
            ["split", "sounding (s)", "lowest", "sounds longest", "highest", "mean polyphony",
             "most together", "frames without a note (%)"],
            rows,
        ),
    )  # fmt: skip


def labels_section(rows: Rows) -> Markup:
    """What the label files hold, by split."""
    audited: list[list[Cell]] = []
    for split in SPLITS:
        own = rows_of(split, rows)
        labeled = [row for row in own if row["notes"]]
        seconds = sum(row["samples"] / row["sample_rate"] for row in labeled)
        notes = sum(row["notes"] for row in labeled)
        without_length = sum(row["degenerate_notes"] or 0 for row in labeled)
        rate = number(notes / seconds if seconds else 0, 2)
        audited.append([split, len(labeled), len(own) - len(labeled), notes, without_length, rate])
    header = ["split", "recordings with notes", "without", "notes", "of no length", "notes per s"]
    return section(
        "Labels",
        table("Audit of the labels", header, audited),
        element("p", "What was found in single labels is listed under Rejects.", class_="soft"),
    )


def configuration_section(summary: DatasetSummary, manifest: Manifest) -> Markup:
    """What a window is, and what made the dataset."""
    settings = {
        name: value
        for name, value in summary.config.items()
        if name not in ("definition", "features")
    }
    return section(
        "Configuration",
        table(
            "Features of a window",
            ["feature", "type, shape, unit"],
            [[name, text] for name, text in summary.features.items()],
        ),
        settings_table("Settings", {**settings, "seed": manifest.seed}),
        table("Versions", ["package", "version"], [*map(list, manifest.packages.items())]),
    )


def rows_of(split: str, rows: Rows) -> Rows:
    """The recordings of a split."""
    return [row for row in rows if row["split"] == split]


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch, whose 60 is C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def _shared_works(summary: DatasetSummary) -> Iterator[Markup]:
    shared, unknown = summary.leakage.works_in_several_splits, summary.leakage
    if shared:
        rows = [
            [work["work"], *(", ".join(work.get(split, ["-"])) for split in SPLITS)]
            for work in shared
        ]
        yield table("Works in more than one split, by recording", ["work", *SPLITS], rows)
    else:
        yield element("p", "No work is known to be in more than one split.")
    if count := unknown.recordings_of_unknown_works:
        yield element("p", f"Recordings whose work is unknown: {count:,}.", class_="warning")


def _explained(code: str) -> tuple[str, str]:
    reason = reason_of(code)
    if isinstance(reason, RejectReason):
        return reason.explanation, reason.remedy
    return "A code of another version.", ""


def _levels_chart(tallies: Tallies) -> Markup:
    counted = sum((each.levels for each in tallies.values()), start=Tally.zero().levels)
    found = np.flatnonzero(counted)
    first, last = (int(found[0]), int(found[-1])) if len(found) else (0, 0)
    shown = slice(max(0, first - _ROOM), last + _ROOM + 1)
    return _chart(
        {split: shares(tally.levels)[shown] for split, tally in tallies.items()},
        int(LEVELS_DB[shown.start]),
        Axis(label="level of a mel bin (dB)"),
        "share of bins (%)",
        f"Levels of the mel bins: from {LEVELS_DB[first]} to {LEVELS_DB[last]} dB",
    )


def _chart(
    by_split: Mapping[str, NDArray[Any]], first: int, x: Axis, y_label: str, text: str
) -> Markup:
    return picture(histogram(by_split, first, x, Axis(label=y_label)), f"{text}.", f"{text}.")


def _decibels(level: int | None) -> Cell:
    return "unknown" if level is None else number(level)
