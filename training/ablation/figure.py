"""An ablation as a picture: what each condition saves, with intervals."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from musicnet_duet.ambient import import_matplotlib
from training.ablation.config import BASE, STEPS
from training.ablation.table import Condition

_COLORS = {"overlap": "#3A6EA5", "strict": "#D1495B"}
_INK = "#222222"
_WIDTH_INCHES, _ROW_INCHES, _MARGIN_INCHES = 8.0, 0.34, 1.4
_DPI = 110
_LINEAR_BITS = 0.02
"""Beyond this, the axis is logarithmic: hearing no spectrogram costs a hundred times what else
differs."""

_TICKS = (-1.0, -0.1, -_LINEAR_BITS, 0.0, _LINEAR_BITS, 0.1, 1.0)


def draw_ablation(rows: Sequence[Condition], *, title: str) -> bytes:
    """A PNG: the bits that each condition saves of those of `frequency` alone.

    Filled points are matched by steps, open ones by time. Small points are the seeds, and lines are
    95 % intervals.
    """
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.setting.hears != BASE]
    seeds = {row.setting: row.seeds for row in rows}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        height = _ROW_INCHES * len(shown) + _MARGIN_INCHES
        figure = Figure(figsize=(_WIDTH_INCHES, height), dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.set_xscale("symlog", linthresh=_LINEAR_BITS)
        for position, row in enumerate(shown):
            color = _COLORS[row.setting.horizon]
            if row.interval is not None:
                axes.plot([-row.interval[1], -row.interval[0]], [position] * 2, color=color)
            saved = np.subtract(seeds[row.setting.base], row.seeds)
            axes.plot(saved, [position] * len(saved), ".", color=color, markersize=4)
            filled = color if row.setting.matched == STEPS else "white"
            axes.plot(-row.difference, position, "o", color=color, markerfacecolor=filled)
        axes.axvline(0, color=_INK, linewidth=0.8)
        labels = [
            f"{row.setting.recurrent}: {' + '.join(row.setting.hears)}, {row.setting.horizon}, "
            f"by {row.setting.matched}"
            for row in shown
        ]
        axes.set_yticks(range(len(shown)), labels, fontsize=8)
        axes.invert_yaxis()
        limits = axes.get_xlim()
        axes.set_xticks(_TICKS, [f"{each:g}" for each in _TICKS])
        axes.set_xlim(limits)
        axes.set_xlabel("bits per dimension saved beside frequency alone")
        axes.set_title(title, loc="left", fontsize=11, color=_INK)
        axes.grid(axis="x", alpha=0.25)
        picture = io.BytesIO()
        canvas.print_png(picture, metadata={"Software": None})
    return picture.getvalue()
