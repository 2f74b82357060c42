"""Pictures of mel spectrograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig

RANGE_DB = 80.0
"""From the loudest level of a picture down to where its colors end."""


def colorize(log_mel: NDArray[Any], top_db: float) -> NDArray[np.uint8]:
    """An RGB image [n_mels, frames, 3], low bins at the bottom, of levels [frames, n_mels]."""
    import matplotlib

    scaled = np.clip((log_mel.T[::-1] - top_db) / RANGE_DB + 1, 0, 1)
    return (matplotlib.colormaps["magma"](scaled)[..., :3] * 255).astype(np.uint8)


def save_picture(
    path: Path, log_mel: NDArray[Any], samples: NDArray[Any], config: FeatureConfig, title: str
) -> None:
    """A PNG of a waveform above its mel spectrogram [frames, n_mels], in seconds, Hz and dB."""
    import librosa
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2, 2, width_ratios=[40, 1], height_ratios=[1, 3], sharex="col", squeeze=False
    )
    wave, mel = axes[0, 0], axes[1, 0]
    axes[0, 1].axis("off")
    seconds = len(log_mel) / config.frames_per_second
    wave.plot(np.arange(len(samples)) / config.sample_rate, samples, linewidth=0.3)
    wave.set_ylabel("amplitude")
    wave.set_title(title)
    top = float(log_mel.max())
    image = mel.imshow(
        log_mel.T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - RANGE_DB,
        vmax=top,
        extent=(0, seconds, 0, config.n_mels),
        interpolation="nearest",
    )
    frequencies = librosa.mel_frequencies(config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)
    marks = [hz for hz in (125, 250, 500, 1000, 2000, 4000, 8000, 16000) if hz < config.fmax]
    mel.set_yticks(np.interp(marks, frequencies[1:-1], np.arange(config.n_mels) + 0.5), marks)
    mel.set_xlim(0, seconds)
    mel.set_xlabel("seconds")
    mel.set_ylabel("Hz")
    figure.colorbar(image, cax=axes[1, 1], label="dB")
    figure.savefig(path, metadata={"Software": None})
