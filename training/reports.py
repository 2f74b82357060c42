"""What the commands print of evaluations and comparisons, for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from training.compare import Comparison
from training.free_running import MODEL, FreeRunning
from training.measures.judge import Judgment
from training.measures.reference import Interval
from training.playing import Playing

_UNKNOWN = "unknown"


def free_running_lines(result: FreeRunning) -> list[str]:
    """Two tables: the measures of each source beside real music, and what they come to."""
    sources = result.judgments
    names = list(sources[MODEL].medians)
    rows = [["", *(["5%", "50%", "95%"] if result.intervals else []), *sources]]
    for name in names:
        judged = [_median(name, each) for each in sources.values()]
        rows.append([name, *_percentiles(name, result.intervals), *judged])
    lines = [
        f"free-running: medians of {sources[MODEL].windows} windows of {result.frames} frames, "
        f"beside percentiles of {result.real_windows} real windows "
        f"({', '.join(result.real_splits)}); * is outside of them",
        *aligned(rows),
    ]
    if result.intervals:
        lines += aligned(
            [["", "unlike windows", "MMD of measures", "of seconds", "as a set"]]
            + [[name, *_verdict(each)] for name, each in sources.items()]
        )
        lines.append(
            "an MMD above 1 is more than 95 % of those between halves of the real recordings"
        )
    else:
        lines.append("too few real windows or recordings: what is like music is unknown")
    lines.append(_precision_line(result.average_precision))
    if result.playing is not None:
        lines += _playing_lines(result.playing)
    if result.failures:
        lines.append(f"the measures fail for: {', '.join(result.failures)}; do not trust them here")
    return lines


def _playing_lines(result: Playing) -> list[str]:
    rows = [["F of onsets within 50 ms", "played", "chance", "recordings"]]
    for name, each in result.onsets.items():
        rows.append([name, *(f"{f:.3f}" for f in dataclasses.astuple(each))])
    return [
        *aligned(rows),
        f"means over {result.windows} windows; chance is that of the scores of other windows",
    ]


def comparison_lines(result: Comparison) -> list[str]:
    """The measures of a recording beside real music, and whether it is a copy."""
    rows = [["", "value", *(["5%", "50%", "95%"] if result.intervals else [])]]
    for name, value in result.measures.items():
        star = "*" if result.outside and name in result.outside else " "
        rows.append([name, f"{value:.2f}{star}", *_percentiles(name, result.intervals)])
    found = ""
    if result.unlike is not None:
        found = f", {result.unlike_windows} of {result.windows} windows"
    lines = [
        f"{result.audio}: medians of {result.windows} windows of {result.frames} frames, beside "
        f"percentiles of {result.real_windows} real windows; * is outside of them",
        *aligned(rows),
        _precision_line(result.average_precision),
        f"unlike music: {_answer(result.unlike)}{found}",
        "distance to the nearest training second, 1 - correlation: least "
        f"{result.nearest[0]:.3f}, median {result.nearest[1]:.3f}",
    ]
    rule = result.copy_rule
    if rule is None:
        return [*lines, "copy: unknown, since copies of the training data are not nearer to it"]
    return [
        *lines,
        f"copy: {_answer(result.copy)}; copies come to {rule.farthest_copy:.3f} or nearer, other "
        f"recordings to {rule.nearest_music:.3f}, and below {rule.threshold:.3f} it is a copy",
    ]


def _answer(value: bool | None) -> str:
    return _UNKNOWN if value is None else "yes" if value else "no"


def _precision_line(average_precision: float | None) -> str:
    if average_precision is None:
        return "notes are unknown: the dataset holds none"
    return (
        f"average precision of the transcriber on recordings that it was not fitted to: "
        f"{average_precision:.2f}"
    )


def _percentiles(name: str, intervals: Mapping[str, Interval] | None) -> list[str]:
    if not intervals:
        return []
    each = intervals[name]
    return [f"{value:.2f}" for value in (each.low, each.median, each.high)]


def _median(name: str, judged: Judgment) -> str:
    star = "*" if judged.outside and name in judged.outside else " "
    return f"{judged.medians[name]:.2f}{star}"


def _verdict(judged: Judgment) -> list[str]:
    ratios = [
        f"{each.value / each.limit:.2f}" if each and each.limit > 0 else _UNKNOWN
        for each in (judged.measures, judged.embeddings)
    ]
    answer = "unlike music" if judged.unlike else "like music"
    return [f"{judged.unlike_windows} of {judged.windows}", *ratios, answer]


def aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The first column to the left, the others to the right, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
