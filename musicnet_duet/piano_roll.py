"""Pictures of piano rolls: a bar for each note, as high as its pitch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.ambient import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#222222"
_NOTE = "#3A6EA5"
_SEMITONES = 12
_LEAST_PITCHES = 24
_INCHES_PER_SECOND = 0.6
_LEAST_INCHES, _MOST_INCHES, _HEIGHT = 8.0, 48.0, 5.2
_DPI = 110


def draw_piano_roll(
    notes: NDArray[Any], onsets: NDArray[Any], frames_per_second: float, *, title: str = ""
) -> bytes:
    """A PNG of a roll: the same bytes for the same roll.

    `notes` and `onsets` [frames, 128] are nonzero where a MIDI pitch sounds or starts; frame k is
    centered at k / `frames_per_second` seconds. What sounds without an onset before it is drawn as
    a note that began earlier. The pitches shown are those that sound, and two octaves at least.
    """
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frame = 1 / frames_per_second
    seconds = len(notes) / frames_per_second
    width = min(max(_LEAST_INCHES, _INCHES_PER_SECOND * seconds), _MOST_INCHES)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(width, _HEIGHT), dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        draw_notes(axes, notes, onsets, frame, color=_NOTE, edge=_INK)
        axes.set(xlim=(-0.5 * frame, max(seconds, frame)), xlabel="seconds", ylabel="pitch")
        axes.grid(alpha=0.25)
        axes.set_title(title, loc="left", fontsize=11, color=_INK)
        picture = io.BytesIO()
        canvas.print_png(picture, metadata={"Software": None})
    return picture.getvalue()


def draw_notes(
    axes: Axes, notes: NDArray[Any], onsets: NDArray[Any], frame: float, *, color: str, edge: str
) -> None:
    """Draws the notes of rolls over frames of `frame` seconds, on an axis of pitches."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    bars = [
        Rectangle(((start - 0.5) * frame, pitch - 0.45), length * frame, 0.9)
        for start, length, pitch in _bars(notes, onsets)
    ]
    axes.add_collection(PatchCollection(bars, facecolor=color, edgecolor=edge, linewidth=0.4))
    low, high = _shown_pitches(notes)
    octaves = [each for each in range(0, 128, _SEMITONES) if low <= each <= high]
    axes.set_yticks(octaves, [f"C{each // _SEMITONES - 1}" for each in octaves])
    axes.set_ylim(low - 0.5, high + 0.5)


def _bars(notes: NDArray[Any], onsets: NDArray[Any]) -> list[tuple[int, int, int]]:
    """The first frame, the number of frames, and the pitch of each note."""
    sounding = np.pad(notes != 0, [(1, 1), (0, 0)]).T
    struck = np.pad(onsets != 0, [(1, 1), (0, 0)]).T & sounding
    starts = struck[:, 1:] | (sounding[:, 1:] & ~sounding[:, :-1])
    ends = sounding[:, :-1] & (~sounding[:, 1:] | struck[:, 1:])
    pitches, first = np.nonzero(starts)
    _, end = np.nonzero(ends)
    return list(zip(first.tolist(), (end - first).tolist(), pitches.tolist(), strict=True))


def _shown_pitches(notes: NDArray[Any]) -> tuple[int, int]:
    found = np.flatnonzero((notes != 0).any(axis=0))
    low, high = (int(found[0]), int(found[-1])) if len(found) else (60, 60)
    missing = max(0, _LEAST_PITCHES - (high - low + 1))
    return low - 1 - missing // 2, high + 1 + (missing + 1) // 2
