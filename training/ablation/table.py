"""From the scores of rows to a table of conditions, and to a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from training.ablation.config import BASE, Setting
from training.ablation.rows import Score
from training.bootstrap import MIN_WORKS, bootstrap_interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """What models of one setting came to, over seeds.

    Attributes:
        setting: What they hear.
        steps: How long they were trained.
        bits: Per dimension: the mean over recordings of the means over seeds.
        seeds: The mean over recordings for each seed.
        difference: The bits less those of the setting's base, the mean over recordings.
        interval: Its 95 % interval over works, by `bootstrap.bootstrap_interval`; None means
            unknown.
    """

    setting: Setting
    steps: int
    bits: float
    seeds: tuple[float, ...]
    difference: float
    interval: tuple[float, float] | None


def conditions(
    scores: Mapping[Setting, tuple[int, Sequence[Score]]],
    works: Mapping[str, Hashable | None],
) -> list[Condition]:
    """The settings' steps and `scores` of each seed as a table; `works` are those of recordings."""
    names = sorted(works)
    found = {}
    for setting, (steps, each) in scores.items():
        bits = np.array([[score.bits[name] for name in names] for score in each])
        found[setting] = steps, bits
    rows = []
    for setting, (steps, bits) in found.items():
        difference = (bits - found[setting.base][1]).mean(axis=0)
        interval = None
        if setting.hears != BASE:
            interval = bootstrap_interval(difference, [works[name] for name in names])
        rows.append(
            Condition(
                setting=setting,
                steps=steps,
                bits=float(bits.mean()),
                seeds=tuple(bits.mean(axis=1).tolist()),
                difference=float(difference.mean()),
                interval=interval,
            )
        )
    return rows


def table(rows: Sequence[Condition]) -> str:
    """The conditions as a table in Markdown."""
    lines = [
        "| layers | hears | horizon | matched by | steps | bits | of each seed | saved beside "
        "frequency, 95 % interval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        of = row.setting
        saved = "" if of.hears == BASE else f"{-row.difference:+.4f}, {_interval(row)}"
        seeds = " ".join(f"{each:.3f}" for each in row.seeds)
        lines.append(
            f"| {of.recurrent} | {' + '.join(of.hears)} | {of.horizon} | {of.matched} | "
            f"{row.steps:,} | {row.bits:.3f} | {seeds} | {saved} |"
        )
    return "\n".join(lines)


def sentence(rows: Sequence[Condition], works: int) -> str:
    """What the comparison of `frequency + time` with `frequency` shows, whichever way it falls."""
    parts = [
        f"{_saved(row)} with the horizon {row.setting.horizon}, matched by {row.setting.matched}"
        for row in rows
        if row.setting.recurrent == "gru" and row.setting.hears == ("frequency", "time")
    ]
    unknown = "" if works >= MIN_WORKS else f" ({works} works are too few for intervals)"
    return (
        f"Beside the spectrogram, the waveform {'; '.join(parts)}{unknown}. The spectrogram up to "
        "a sample is a function of the waveform up to it, so this is what a network of this size "
        "learns more easily in this time, and not what it could know."
    )


def _saved(row: Condition) -> str:
    verb = "saves" if row.difference < 0 else "costs"
    text = f"{verb} {abs(row.difference):.4f} bits per dimension"
    if row.interval is None:
        return text
    low, high = row.interval
    return f"{text} (95 % interval of what it saves: {-high:+.4f} to {-low:+.4f})"


def _interval(row: Condition) -> str:
    if row.interval is None:
        return "unknown"
    low, high = row.interval
    return f"{-high:+.4f} to {-low:+.4f}"
