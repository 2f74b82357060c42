"""Draws docs/architecture.svg: python docs/draw_architecture.py"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

PICTURE = Path(__file__).with_name("architecture.svg")

_INK, _QUIET = "#222222", "#666666"
_FACE, _PIPELINES, _TRAINING, _CONTRACT, _DISK = (
    "#F2F2F2", "#DCE8F5", "#E4F1DD", "#FBEBD3", "#FFFFFF",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    """A rounded box from (`x`, `y`), its lower left corner; lengths are in units of the picture."""

    x: float
    y: float
    width: float
    height: float
    title: str
    text: str = ""
    color: str = _DISK
    inner: bool = False


BOXES = (
    Box(x=0.2, y=8.8, width=15.6, height=0.95, color=_FACE, title="musicnet_duet/cli.py",
        text="the console script: every command of both halves"),
    Box(x=2.7, y=3.4, width=5.1, height=5.1, color=_PIPELINES, title="pipelines/",
        text="Apache Beam, no TensorFlow"),
    Box(x=2.9, y=6.65, width=2.25, height=0.95, inner=True, title="recordings/",
        text="list, inspect, resample"),
    Box(x=5.35, y=6.65, width=2.25, height=0.95, inner=True, title="planning/",
        text="splits, windows, shards"),
    Box(x=5.35, y=5.15, width=2.25, height=0.95, inner=True, title="writing/",
        text="cut, write, publish"),
    Box(x=2.9, y=5.15, width=2.25, height=0.95, inner=True, title="engine/",
        text="Beam, worker processes"),
    Box(x=5.35, y=3.65, width=2.25, height=0.95, inner=True, title="verification/",
        text="check every byte"),
    Box(x=2.9, y=3.65, width=2.25, height=0.95, inner=True, title="demo/",
        text="render scores"),
    Box(x=10.6, y=3.4, width=2.9, height=5.1, color=_TRAINING, title="training/",
        text="TensorFlow, no Beam"),
    Box(x=10.75, y=6.65, width=2.6, height=0.95, inner=True, title="reading/", text="batches"),
    Box(x=10.75, y=5.15, width=2.6, height=0.95, inner=True, title="models/, fitting/",
        text="recurrent models"),
    Box(x=10.75, y=3.65, width=2.6, height=0.95, inner=True, title="generate.py",
        text="spectrogram to audio"),
    Box(x=0.2, y=6.65, width=1.8, height=0.95, title="recordings", text="WAV, CSV"),
    Box(x=8.45, y=5.15, width=1.5, height=2.45, title="dataset",
        text="shards\nindexes\ntables\nmanifest"),
    Box(x=14.15, y=5.15, width=1.65, height=0.95, title="run", text="checkpoints"),
    Box(x=14.15, y=3.65, width=1.65, height=0.95, title="music", text="WAV, PNG, JSON"),
    Box(x=0.2, y=2.1, width=15.6, height=0.95, color=_FACE, title="musicnet_duet/",
        text="what the two halves share: the frame of a command, messages, progress, plots"),
    Box(x=0.2, y=0.8, width=15.6, height=0.95, color=_CONTRACT, title="schemas/",
        text="the contract: features, windows, shards, manifest; codecs/ for TFRecord and HDF5; "
        "storage/ opens files"),
)  # fmt: skip

ARROWS = (
    ((2.0, 7.1), (2.9, 7.1)),
    ((5.15, 7.1), (5.35, 7.1)),
    ((6.47, 6.65), (6.47, 6.1)),
    ((7.6, 5.6), (8.45, 5.6)),
    ((9.2, 5.15), (7.6, 4.1)),
    ((9.95, 6.4), (10.75, 7.1)),
    ((12.05, 6.65), (12.05, 6.1)),
    ((12.05, 5.15), (12.05, 4.6)),
    ((13.35, 5.6), (14.15, 5.6)),
    ((13.35, 4.1), (14.15, 4.1)),
    ((2.9, 4.1), (1.1, 6.65)),
)
"""Data: from one point to another."""


def draw() -> Figure:
    """The picture: 16 by 10 units."""
    figure = Figure(figsize=(12.8, 8.0))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 16), ylim=(0, 10))
    axes.set_axis_off()
    for box in BOXES:
        _draw_box(axes, box)
    for start, end in ARROWS:
        style = {"arrowstyle": "-|>", "color": _INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)
    note = (
        "Arrows are data. Code imports only what is in the rows below it; "
        "pipelines/ and training/ never import each other."
    )
    axes.text(8, 0.4, note, ha="center", va="center", fontsize=10, color=_QUIET)
    return figure


def _draw_box(axes: mpl.axes.Axes, box: Box) -> None:
    shape = FancyBboxPatch(
        (box.x, box.y),
        box.width,
        box.height,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor="#FFFFFF" if box.inner else box.color,
        edgecolor=_QUIET,
        linewidth=0.8 if box.inner else 1.2,
    )
    axes.add_patch(shape)
    x, top = box.x + box.width / 2, box.y + box.height
    axes.text(x, top - 0.18, box.title, ha="center", va="top", fontsize=12, color=_INK,
              fontfamily="monospace", fontweight="bold")  # fmt: skip
    axes.text(x, top - 0.58, box.text, ha="center", va="top", fontsize=9.5, color=_INK,
              linespacing=1.5)  # fmt: skip


def main() -> int:
    with mpl.rc_context({**mpl.rcParamsDefault, "svg.hashsalt": "duet"}):
        FigureCanvasSVG(draw()).print_svg(PICTURE, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
