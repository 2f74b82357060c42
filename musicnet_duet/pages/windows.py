"""A window on a page: its mel spectrogram above, and the roll of its notes beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from musicnet_duet.pages.charts import COLORS, INK, canvas
from musicnet_duet.piano_roll import draw_notes
from musicnet_duet.plots import draw_log_mel
from schemas import FeatureConfig

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICK_DISTANCE = 0.06
_WIDTH, _MEL_HEIGHT, _ROLL_HEIGHT = 7.2, 2.9, 1.6


def draw_window(
    config: FeatureConfig,
    *,
    log_mel: NDArray[Any] | None,
    notes: NDArray[Any] | None = None,
    onsets: NDArray[Any] | None = None,
) -> bytes:
    """A PNG of what there is of `log_mel` [frames, n_mels], in dB, and of piano rolls.

    `notes` and `onsets` [frames, 128] are nonzero where a MIDI pitch sounds or starts. Frame k is
    centered at k / frames per second. `log_mel` or `notes` must be there. The same window gives the
    same bytes.
    """
    heights = [_MEL_HEIGHT] * (log_mel is not None) + [_ROLL_HEIGHT] * (notes is not None)
    with canvas((_WIDTH, sum(heights))) as (figure, picture):
        panels = figure.subplots(
            len(heights), 2, squeeze=False, width_ratios=[60, 1], height_ratios=heights
        )
        if log_mel is not None:
            axes, bar = panels[0]
            image = draw_log_mel(axes, log_mel, config, tick_distance=_TICK_DISTANCE)
            scale = figure.colorbar(image, cax=bar, label="dB")
            scale.outline.set_visible(False)
        if notes is not None:
            axes, empty = panels[-1]
            empty.set_axis_off()
            _draw_roll(axes, notes, notes * 0 if onsets is None else onsets, config)
        if len(panels) > 1:
            panels[0][0].set_xlabel("")
            panels[0][0].tick_params(labelbottom=False)
    return picture.getvalue()


def _draw_roll(
    axes: Axes, notes: NDArray[Any], onsets: NDArray[Any], config: FeatureConfig
) -> None:
    frame = 1 / config.frames_per_second
    draw_notes(axes, notes, onsets, frame, color=COLORS[0], edge=INK)
    axes.set(xlim=(-0.5 * frame, (len(notes) - 0.5) * frame), xlabel="seconds", ylabel="pitch")
    axes.grid(alpha=0.25, color=INK)
