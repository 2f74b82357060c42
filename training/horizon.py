"""What a model may hear of the past for a frame: the arithmetic of horizons, in one place.

Frame t of a spectrogram covers the `n_fft` samples around sample t * hop_length, so that it shares
samples with the frames before it. There are two ways to say what comes before frame t:

- `overlap`: all that the frame before it covers. Mel frames up to t - 1, samples before
  (t - 1) * hop_length + n_fft / 2.
- `strict`: nothing that frame t covers itself. Mel frames up to t - n_fft / hop_length, samples
  before t * hop_length - n_fft / 2.

Both are the same for waveform and spectrogram, so that models may be compared that hear one or the
other. A score is known from the beginning: it is heard up to frame t + `NOTES_AHEAD`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Self

HEARD = ("frequency", "time", "notes")
"""What a model may hear: the spectrogram, the waveform, and the score."""

HORIZONS = ("overlap", "strict")

NOTES_AHEAD = 2
"""How many frames of the score after a frame are heard for it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Horizon:
    """What may be heard for frame t of a window.

    Attributes:
        delay: Mel frames are heard up to t - `delay`, at least 1.
        offset: Samples are heard before t * `hop_length` + `offset`; it may be negative.
        span: How many samples before that are heard for one frame.
        hop_length: Samples between frames.

    Examples:
        >>> Horizon.of("overlap", hop_length=512, n_fft=2048)
        Horizon(delay=1, offset=512, span=2048, hop_length=512)
        >>> Horizon.of("strict", hop_length=512, n_fft=2048)
        Horizon(delay=4, offset=-1024, span=2048, hop_length=512)
    """

    delay: int
    offset: int
    span: int
    hop_length: int

    @classmethod
    def of(cls, kind: str, *, hop_length: int, n_fft: int) -> Self:
        """The horizon of a `kind` of `HORIZONS`."""
        half = n_fft // 2
        delay, offset = (
            (1, half - hop_length) if kind == "overlap" else (-(-n_fft // hop_length), -half)
        )
        return cls(delay=delay, offset=offset, span=n_fft, hop_length=hop_length)

    def scored(self, hears: Collection[str], frames: int) -> slice:
        """The frames of a window of `frames` whose horizon is stored whole, whatever is heard.

        `hears` are some of `HEARD`. Of the spectrogram, a frame and the one before it are heard.

        Examples:
            >>> overlap = Horizon.of("overlap", hop_length=512, n_fft=2048)
            >>> overlap.scored(["frequency"], 430)
            slice(2, 430, None)
            >>> overlap.scored(["time", "notes"], 430)
            slice(3, 428, None)
        """
        first, stop = self.delay + 1, frames
        if "time" in hears:
            first = max(first, -(-(self.span - self.offset) // self.hop_length))
            stop = min(stop, frames + 1 - -(-self.offset // self.hop_length))
        if "notes" in hears:
            stop = min(stop, frames - NOTES_AHEAD)
        return slice(first, stop)
