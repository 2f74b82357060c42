"""Players for sound, in the page itself."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from musicnet_duet.pages.html import Markup, data_url, element

MOST_SAMPLES = 250_000
"""Samples in one player, 11 s at 22,050 Hz: those of a page are most of its size."""

_FLAC_BLOCK = 4_096
"""Samples in a block of libFLAC; Chromium cannot play a file of a single one."""


def player(samples: NDArray[Any], rate: int, label: str) -> Markup:
    """A player of `samples` [any], at `rate` Hz: int16, or floats whose full scale is 1.

    It plays the first `MOST_SAMPLES`, as FLAC, or as WAV where they are few, and says what is left
    out. Floats that exceed full scale are all made softer, so that they fit. `label` says what it
    plays. Without a sample, there is nothing to play.
    """
    if not len(samples):
        return element("p", "There is no sound to play.", class_="soft")
    kept = samples[:MOST_SAMPLES]
    if kept.dtype != np.int16:
        scale = np.iinfo(np.int16).max / max(1.0, float(np.abs(kept).max()))
        kept = np.round(kept * scale).astype(np.int16)
    sound = io.BytesIO()
    file_format = "FLAC" if len(kept) > _FLAC_BLOCK else "WAV"
    soundfile.write(sound, kept, rate, format=file_format, subtype="PCM_16")
    source = data_url(sound.getvalue(), f"audio/{file_format.lower()}")
    audio = element("audio", controls=True, preload="metadata", src=source, aria_label=label)
    if len(kept) == len(samples):
        return audio
    seconds = f"The first {len(kept) / rate:.1f} of {len(samples) / rate:.1f} s."
    return Markup(audio + element("p", seconds, class_="soft"))
