"""A picture of windows: the waveform, the mel spectrogram below it, the notes drawn over that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np

from pipelines.errors import PipelineError
from schemas import Dataset, FeatureConfig, Window
from schemas.features import WAVEFORM_SCALE

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

_DB_RANGE = 80.0
_INK = "#222222"
_NOTE = "#7CFFCB"


def draw_windows(dataset: Dataset, *, split: str, places: Sequence[int], path: str) -> None:
    """Writes a PNG of the windows at `places` (from 0) of a split, one below the other."""
    windows = [dataset.window(split, place) for place in places]
    config = dataset.config
    if "log_mel" not in config.features:
        raise PipelineError(f"{dataset.storage.root}: holds no log_mel to draw")
    figure = Figure(figsize=(12, 5.2 * len(windows)), layout="constrained")
    panels = figure.subplots(2 * len(windows), 1, height_ratios=[1, 3.4] * len(windows))
    for place, window in enumerate(windows):
        wave, mel = panels[2 * place], panels[2 * place + 1]
        wave.sharex(mel)
        wave.tick_params(labelbottom=False)
        _draw_waveform(wave, window, config)
        _draw_log_mel(figure, mel, window, config)
        _draw_notes(mel, window, config)
        start = window.first_frame / config.frames_per_second
        wave.set_title(
            f"recording {window.recording_id}, from {start:.1f} s ({split})",
            loc="left", fontsize=11, color=_INK,
        )  # fmt: skip
    figure.savefig(path, dpi=110)


def _draw_waveform(axes: Axes, window: Window, config: FeatureConfig) -> None:
    """Upper and lower envelope, from the first frame's center."""
    if "waveform" not in window.features:
        axes.set_axis_off()
        return
    samples = window.features["waveform"] / WAVEFORM_SCALE
    columns = samples.reshape(config.window_frames, -1)
    times = np.arange(len(columns)) * columns.shape[1] / config.sample_rate
    axes.fill_between(times, columns.min(axis=1), columns.max(axis=1), color="#3A6EA5", linewidth=0)
    limit = max(0.05, 1.1 * float(np.abs(samples).max()))
    axes.set(ylim=(-limit, limit), ylabel="amplitude")
    axes.grid(alpha=0.25)


def _draw_log_mel(figure: Figure, axes: Axes, window: Window, config: FeatureConfig) -> None:
    """Levels in dB below the window's loudest, frames centered at their times."""
    levels = window.features["log_mel"].astype(np.float32)
    top = float(levels.max())
    half = 0.5 / config.frames_per_second
    seconds = config.window_frames / config.frames_per_second
    image = axes.imshow(
        levels.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=top - _DB_RANGE,
        vmax=top,
        extent=(-half, seconds - half, -0.5, config.n_mels - 0.5),
    )
    figure.colorbar(image, ax=axes, format="%.0f dB", pad=0.01)
    hertz = [tick for tick in _TICKS if config.fmin < tick < config.fmax]
    axes.set_yticks(mel_bin(np.array(hertz), config), [f"{tick:,}" for tick in hertz])
    axes.set(xlabel="seconds", ylabel="Hz (mel scale)")


def _draw_notes(axes: Axes, window: Window, config: FeatureConfig) -> None:
    """A line at each note's fundamental while it sounds, a dot where it starts."""
    if "notes" not in window.features:
        return
    notes = window.features["notes"].astype(np.int8)
    edges = np.diff(notes, axis=0, prepend=0, append=0).T
    heights = mel_bin(440.0 * 2.0 ** ((np.arange(notes.shape[1]) - 69) / 12), config)
    pitches, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    seconds = (np.stack([starts, stops], axis=1) - 0.5) / config.frames_per_second
    lines = [
        [(start, heights[pitch]), (stop, heights[pitch])]
        for pitch, (start, stop) in zip(pitches, seconds, strict=True)
    ]
    axes.add_collection(LineCollection(lines, colors=_NOTE, linewidths=1.4, alpha=0.9))
    if "onsets" in window.features:
        frames, pitches = np.nonzero(window.features["onsets"])
        times = frames / config.frames_per_second
        axes.scatter(times, heights[pitches], s=9, color=_NOTE, edgecolors=_INK, linewidths=0.4)


_TICKS = (256, 512, 1_024, 2_048, 4_096, 8_192)


def mel_bin(hertz: Any, config: FeatureConfig) -> Any:
    """Where frequencies lie on the axis of mel bins, whose centers are 0..n_mels-1.

    Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
    """

    def mel(frequency: Any) -> Any:
        frequency = np.asarray(frequency, np.float64)
        above = 15.0 + np.log(np.maximum(frequency, 1_000.0) / 1_000.0) * 27.0 / np.log(6.4)
        return np.where(frequency < 1_000.0, frequency * 3.0 / 200.0, above)

    low, high = mel(config.fmin), mel(config.fmax)
    return (mel(hertz) - low) / (high - low) * (config.n_mels + 1) - 1.0
