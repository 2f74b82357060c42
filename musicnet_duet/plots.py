"""Pictures of sound: a waveform above its mel spectrogram, and notes drawn over that.

Nothing that surrounds the process changes them: neither a matplotlibrc nor MPLBACKEND.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.ambient import import_matplotlib
from schemas.features import N_PITCHES, FeatureConfig
from schemas.filterbank import mel_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

RANGE_DB = 80.0
"""From the loudest bin of a picture down to where its colors end."""

_COLORS = "magma"
_INK = "#222222"
_WAVE = "#3A6EA5"
_NOTE = "#7CFFCB"
_TICKS_HZ = (32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384)
_LEAST_TICK_DISTANCE = 0.035  # of the axis; mel bins are wide at low frequencies
_COLUMNS = 1_200
_MOST_FRAMES = 2 * _COLUMNS
_INCHES = (12.0, 5.2)
_DPI = 110


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sound:
    """What is drawn of one sound; frame k is centered at k / frames per second.

    `log_mel` [frames, n_mels] is in dB. `samples` [any] are from -1 to 1 and begin at the center
    of frame 0. `notes` and `onsets` [frames, 128] are nonzero where a MIDI pitch sounds or starts.
    """

    title: str
    log_mel: NDArray[Any]
    samples: NDArray[Any] | None = None
    notes: NDArray[Any] | None = None
    onsets: NDArray[Any] | None = None


def draw(sounds: Sequence[Sound], config: FeatureConfig) -> bytes:
    """A PNG of sounds, one below the other: the same bytes for the same sounds."""
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        width, height = _INCHES
        figure = Figure(figsize=(width, height * len(sounds)), dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        panels = figure.subplots(
            2 * len(sounds),
            2,
            width_ratios=[60, 1],
            height_ratios=[1, 3.4] * len(sounds),
            squeeze=False,
        )
        for number, sound in enumerate(sounds):
            (wave, empty), (mel, bar) = panels[2 * number : 2 * number + 2]
            empty.set_axis_off()
            wave.sharex(mel)
            wave.tick_params(labelbottom=False)
            _draw_samples(wave, sound, config)
            image = draw_log_mel(mel, sound.log_mel, config)
            figure.colorbar(image, cax=bar, label="dB")
            _draw_notes(mel, sound, config)
            wave.set_title(sound.title, loc="left", fontsize=11, color=_INK)
        picture = io.BytesIO()
        canvas.print_png(picture, metadata={"Software": None})
    return picture.getvalue()


def colorize(log_mel: NDArray[Any], top_db: float) -> NDArray[np.uint8]:
    """An RGB image [n_mels, frames, 3], low bins at the bottom, of `log_mel` [frames, n_mels].

    Colors span the `RANGE_DB` dB below `top_db`.
    """
    scaled = np.clip((log_mel.T[::-1] - top_db) / RANGE_DB + 1, 0, 1)
    return (import_matplotlib().colormaps[_COLORS](scaled)[..., :3] * 255).astype(np.uint8)


def envelope(samples: NDArray[Any], columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the greatest sample of about `columns` equal parts of `samples`."""
    starts = np.unique(np.linspace(0, len(samples), columns, endpoint=False).astype(np.int64))
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def _draw_samples(axes: Axes, sound: Sound, config: FeatureConfig) -> None:
    samples = sound.samples
    if samples is None or not len(samples):
        axes.set_axis_off()
        return
    low, high = envelope(samples, _COLUMNS)
    times = np.linspace(0, len(samples) / config.sample_rate, len(low), endpoint=False)
    axes.fill_between(times, low, high, color=_WAVE, linewidth=0.4)
    limit = max(0.05, 1.1 * float(np.abs(samples).max()))
    axes.set(ylim=(-limit, limit), ylabel="amplitude")
    axes.grid(alpha=0.25)


def draw_log_mel(
    axes: Axes,
    log_mel: NDArray[Any],
    config: FeatureConfig,
    *,
    tick_distance: float = _LEAST_TICK_DISTANCE,
) -> AxesImage:
    """Draws `log_mel` [frames, n_mels], in dB, over seconds and Hz; the image is for a scale.

    Frequencies are named where they are `tick_distance` apart, a share of the axis.
    """
    frames, n_mels = log_mel.shape
    top = float(log_mel.max())
    half = 0.5 / config.frames_per_second
    left, right = -half, frames / config.frames_per_second - half
    # More frames than pixels would take memory alone.
    step = max(1, frames // _MOST_FRAMES)
    shown = log_mel[::step].T.astype(np.float32)
    image = axes.imshow(
        shown,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=_COLORS,
        vmin=top - RANGE_DB,
        vmax=top,
        extent=(
            left,
            left + shown.shape[1] * step / config.frames_per_second,
            -0.5,
            n_mels - 0.5,
        ),
    )
    hertz = frequency_ticks(config, tick_distance)
    axes.set_yticks(mel_bins(hertz, config), [f"{tick:,}" for tick in hertz])
    axes.set(xlim=(left, right), xlabel="seconds", ylabel="Hz (mel scale)")
    return image


def frequency_ticks(config: FeatureConfig, distance: float = _LEAST_TICK_DISTANCE) -> list[int]:
    """The powers of two, in Hz, that a mel axis has room for: from the highest one down.

    They are at least `distance` apart, a share of the axis.
    """
    ticks: list[int] = []
    for tick in reversed([tick for tick in _TICKS_HZ if config.fmin < tick < config.fmax]):
        found = np.diff(mel_bins([tick, *ticks[:1]], config)) / config.n_mels
        if np.any(found < distance):
            break
        ticks.insert(0, tick)
    return ticks


def _draw_notes(axes: Axes, sound: Sound, config: FeatureConfig) -> None:
    """A line at each note's fundamental while it sounds, a dot where it starts."""
    from matplotlib.collections import LineCollection

    heights = mel_bins(440.0 * 2.0 ** ((np.arange(N_PITCHES) - 69) / 12), config)
    if sound.notes is not None:
        edges = np.diff(sound.notes.astype(np.int8), axis=0, prepend=0, append=0).T
        pitches, starts = np.nonzero(edges == 1)
        _, stops = np.nonzero(edges == -1)
        seconds = (np.stack([starts, stops], axis=1) - 0.5) / config.frames_per_second
        lines = [
            [(start, heights[pitch]), (stop, heights[pitch])]
            for pitch, (start, stop) in zip(pitches, seconds, strict=True)
        ]
        axes.add_collection(LineCollection(lines, colors=_NOTE, linewidths=1.4, alpha=0.9))
    if sound.onsets is not None:
        frames, pitches = np.nonzero(sound.onsets)
        times = frames / config.frames_per_second
        axes.scatter(times, heights[pitches], s=9, color=_NOTE, edgecolors=_INK, linewidths=0.4)
