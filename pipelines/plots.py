"""Pictures of the windows of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from musicnet_duet.outputs import require_free, write_together
from musicnet_duet.plots import Sound, draw
from pipelines.errors import PipelineError
from schemas import Dataset, FeatureConfig, Window
from schemas.features import WAVEFORM_SCALE


def draw_windows(
    dataset: Dataset, *, split: str, positions: Sequence[int], path: str, overwrite: bool = False
) -> None:
    """Writes a PNG of the windows at `positions` (from 0) of a split, one below the other.

    Raises `PipelineError` where the dataset has no `log_mel` or `path` does not end in .png,
    `OutputError` where `path` may not be written, and `DatasetError` where there is no such window.
    """
    config = dataset.config
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise PipelineError(f"{path}: a picture must have a name that ends in .png")
    if "log_mel" not in config.features:
        raise PipelineError(
            f"{dataset.storage.root}: holds no log_mel to draw; make it again with this feature"
        )
    require_free([target], overwrite=overwrite)
    windows = [dataset.window(split, position) for position in positions]
    sounds = [_sound(window, split, config) for window in windows]
    write_together({target: draw(sounds, config)})


def _sound(window: Window, split: str, config: FeatureConfig) -> Sound:
    start = window.first_frame / config.frames_per_second
    found = window.features
    return Sound(
        title=f"recording {window.recording_id}, from {start:.1f} s ({split})",
        log_mel=found["log_mel"],
        samples=found["waveform"] / WAVEFORM_SCALE if "waveform" in found else None,
        notes=found.get("notes"),
        onsets=found.get("onsets"),
    )
