"""Charts that are read on a light page and on a dark one alike: the same bytes for the same data.

Nothing that surrounds the process changes them: neither a matplotlibrc nor MPLBACKEND.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musicnet_duet.ambient import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#808080"
"""Its contrast is 3.9 on the light paper of a page, and 4.6 on the dark one."""

COLORS = ("#3F83C4", "#D17A22", "#3C9D6B")
_LINES = ("-", "--", ":")
_INCHES = (7.2, 2.5)
_DPI = 130


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """A line of a chart through the points `x`, `y`.

    With `dots`, each point is marked, so that a single one is seen.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    dots: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """The label of an axis with its unit; `ticks` are places on it and what to write there."""

    label: str
    ticks: Sequence[tuple[float, str]] = ()


def line_chart(series: Sequence[Series], x: Axis, y: Axis) -> bytes:
    """A PNG of lines over each other, on no background."""
    with _axes(x, y) as (axes, picture):
        for number, each in enumerate(series):
            marker = "o" if each.dots else ""
            axes.plot(
                each.x, each.y, label=each.label, marker=marker, markersize=4, **_style(number)
            )
        _legend(axes, len(series))
    return picture.getvalue()


def histogram(counts: Mapping[str, NDArray[Any]], first: int, x: Axis, y: Axis) -> bytes:
    """A PNG of the outlines of histograms over each other, by their labels.

    Each has the same number of bars, for the integers from `first` on.
    """
    import_matplotlib()
    from matplotlib.ticker import MaxNLocator

    with _axes(x, y) as (axes, picture):
        for number, (label, heights) in enumerate(counts.items()):
            edges = np.arange(len(heights) + 1) + first - 0.5
            axes.stairs(heights, edges, label=label, **_style(number))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        _legend(axes, len(counts))
    return picture.getvalue()


@contextlib.contextmanager
def _axes(x: Axis, y: Axis) -> Iterator[tuple[Axes, io.BytesIO]]:
    """Axes to draw on, and the PNG that they are once the block has ended."""
    with canvas(_INCHES) as (figure, picture):
        axes = figure.subplots()
        axes.set(xlabel=x.label, ylabel=y.label)
        axes.grid(alpha=0.25, color=INK)
        axes.margins(x=0.01)
        yield axes, picture
        if x.ticks:
            axes.set_xticks(*zip(*x.ticks, strict=True))


def _style(number: int) -> dict[str, Any]:
    which = number % len(COLORS)
    return {"color": COLORS[which], "linestyle": _LINES[which], "linewidth": 1.4}


def _legend(axes: Axes, count: int) -> None:
    if count > 1:
        axes.legend(frameon=False, labelcolor=INK)


@contextlib.contextmanager
def canvas(inches: tuple[float, float]) -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure to draw on, and the PNG that it is once the block has ended."""
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        figure = Figure(figsize=inches, dpi=_DPI, layout="constrained", facecolor="none")
        drawn = FigureCanvasAgg(figure)
        yield figure, picture
        drawn.print_png(picture, metadata={"Software": None})


_RC: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
