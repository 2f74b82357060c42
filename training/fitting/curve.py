"""The learning curve of a run, as a picture of what its file of metrics holds."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from musicnet_duet.ambient import import_matplotlib

_TRAINING = "#9DB8D3"
_VALIDATION = "#3A6EA5"
_BEST = "#D1495B"
_INK = "#222222"
_INCHES = (8.0, 5.2)
_DPI = 110

Points = tuple[tuple[int, float], ...]
"""Pairs of a step and a figure."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """What is drawn of a run: a figure in training and validation, and the learning rate."""

    training: Points
    validation: Points
    learning_rate: Points

    @classmethod
    def of(cls, lines: Iterable[bytes], figure: str) -> Curve:
        """The figure, such as `bits`, in the lines of a file of metrics."""
        values = [json.loads(line) for line in lines]

        def points(name: str) -> Points:
            return tuple((int(each["step"]), float(each[name])) for each in values if name in each)

        return cls(points(figure), points(f"validation_{figure}"), points("learning_rate"))


def draw_curve(curve: Curve, *, label: str, best_step: int | None, title: str) -> bytes:
    """A PNG: the figure above, the learning rate below.

    `label` names the figure with its unit, and `best_step` is that of the best checkpoint.
    """
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        score, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
        _plot(score, curve.training, color=_TRAINING, linewidth=0.9, label="training, each step")
        _plot(
            score, curve.validation, color=_VALIDATION, marker="o", markersize=4, label="validation"
        )
        best = tuple(point for point in curve.validation if point[0] == best_step)
        _plot(
            score,
            best,
            color=_BEST,
            marker="*",
            markersize=14,
            linestyle="none",
            label=f"best checkpoint, step {best_step}",
        )
        score.set_title(title, loc="left", fontsize=11, color=_INK)
        score.set(ylabel=label)
        if curve.training or curve.validation:
            score.legend(loc="upper right", frameon=False)
        _plot(rate, curve.learning_rate, color=_INK, linewidth=0.9)
        rate.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
        rate.xaxis.get_major_locator().set_params(integer=True)
        for axes in (score, rate):
            axes.grid(alpha=0.25)
        picture = io.BytesIO()
        canvas.print_png(picture, metadata={"Software": None})
    return picture.getvalue()


def _plot(axes: Any, points: Sequence[tuple[int, float]], **style: Any) -> None:
    if points:
        axes.plot(*zip(*points, strict=True), **style)
