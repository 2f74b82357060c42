"""One window of a dataset on a page: what it is, its picture, and its sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from musicnet_duet.pages.html import Markup, element, picture
from musicnet_duet.pages.players import MOST_SAMPLES, player
from musicnet_duet.pages.windows import draw_window
from schemas import FeatureConfig, Window

Invert = Callable[[NDArray[Any], FeatureConfig], NDArray[Any]]
"""From levels [frames, n_mels] in dB to samples [any] at the features' rate, of full scale 1."""


def window_article(
    window: Window,
    row: Mapping[str, Any],
    split: str,
    config: FeatureConfig,
    *,
    invert: Invert | None,
) -> Markup:
    """The valid frames of a window of the recording of `row`.

    Where the dataset has no waveform, `invert` makes its sound from the spectrogram; None where
    it is not installed.
    """
    start = window.first_frame / config.frames_per_second
    end = (window.first_frame + window.valid_frames) / config.frames_per_second
    where = f"recording {window.recording_id}, {start:.1f} to {end:.1f} s"
    valid = {
        name: array.reshape(config.window_frames, -1)[: window.valid_frames]
        for name, array in window.features.items()
    }
    title = f"{where[0].upper()}{where[1:]} ({split})"
    content = [element("h3", title)]
    if work := ": ".join(row[each] for each in ("composer", "composition") if row.get(each)):
        movement = f", {row['movement']}" if row.get("movement") else ""
        content.append(element("p", f"{work}{movement}", class_="soft"))
    shown = {name: valid.get(name) for name in ("log_mel", "notes", "onsets")}
    if shown["log_mel"] is not None or shown["notes"] is not None:
        content.append(picture(draw_window(config, **shown), _alt(valid, where)))
    content.append(_sound(valid, config, where, invert))
    return element("article", *content)


def _alt(valid: Mapping[str, NDArray[Any]], where: str) -> str:
    parts = [
        text
        for name, text in (("log_mel", "mel spectrogram"), ("notes", "piano roll of the notes"))
        if name in valid
    ]
    text = f"{' above the '.join(parts)} of {where}"
    return f"{text[0].upper()}{text[1:]}"


def _sound(
    valid: Mapping[str, NDArray[Any]], config: FeatureConfig, where: str, invert: Invert | None
) -> Markup:
    if "waveform" in valid:
        return player(valid["waveform"].ravel(), config.sample_rate, f"Sound of {where}")
    if "log_mel" not in valid or invert is None:
        return element("p", "No sound: see above.", class_="soft")
    frames = config.frame_count(MOST_SAMPLES)
    samples = invert(valid["log_mel"][:frames], config)
    return player(samples, config.sample_rate, f"Sound made from the spectrogram of {where}")
