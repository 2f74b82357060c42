"""The instruments of the synthesizer: what they sound like, in numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import ArrayLike, NDArray

PIANO, HARPSICHORD, VIOLIN, VIOLA, CELLO = 1, 7, 41, 42, 43
"""General MIDI programs counted from 1, as MusicNet counts them."""

Resonance = tuple[float, float, float]
"""Center in Hz, width in octaves, gain in dB."""


@dataclasses.dataclass(frozen=True)
class Bowed:
    """A bowed string: times in seconds; `range_db` lies between the softest and the loudest note.

    Partials fall by 6 dB an octave and, above `rolloff_hz`, by another 18; `noise_db` is the level
    of the bow's noise under the tone.
    """

    resonances: tuple[Resonance, ...]
    rolloff_hz: float
    attack: float
    release: float
    vibrato_cents: float
    noise_db: float
    gain_db: float
    range_db: float = 30.0


@dataclasses.dataclass(frozen=True)
class Struck:
    """A hammered or plucked string, excited at the fraction `position` of its length.

    Partials fall by 8.7 dB every `brightness_hz`; `touch` is by how many octaves that moves from
    the middle to the softest or loudest note. `damping` is the decay in 1/s at middle C, the times
    are in seconds, `knock_db` is the level of the hammer's noise.
    """

    resonances: tuple[Resonance, ...]
    position: float
    brightness_hz: float
    touch: float
    damping: float
    attack: float
    release: float
    knock_db: float
    gain_db: float
    range_db: float = 30.0


INSTRUMENTS: Mapping[int, Bowed | Struck] = {
    PIANO: Struck(
        resonances=((120, 0.8, 3), (400, 1.2, 3), (2_600, 0.8, 2)),
        position=0.12,
        brightness_hz=620,
        touch=1.0,
        damping=0.55,
        attack=0.0025,
        release=0.07,
        knock_db=-24,
        gain_db=0,
    ),
    HARPSICHORD: Struck(
        resonances=((250, 0.7, 4), (900, 1.0, 3), (3_000, 1.2, 8)),
        position=0.17,
        brightness_hz=4_500,
        touch=0.1,
        damping=0.55,
        attack=0.0008,
        release=0.045,
        knock_db=-26,
        gain_db=-12,
        range_db=6,
    ),
    VIOLIN: Bowed(
        resonances=(
            (275, 0.25, 7),
            (460, 0.3, 8),
            (560, 0.3, 7),
            (1_100, 0.5, 4),
            (2_600, 0.9, 11),
        ),
        rolloff_hz=5_000,
        attack=0.03,
        release=0.05,
        vibrato_cents=20,
        noise_db=-35,
        gain_db=0,
    ),
    VIOLA: Bowed(
        resonances=((220, 0.3, 7), (370, 0.3, 8), (600, 0.4, 5), (1_700, 0.9, 9)),
        rolloff_hz=4_000,
        attack=0.035,
        release=0.055,
        vibrato_cents=18,
        noise_db=-36,
        gain_db=-1,
    ),
    CELLO: Bowed(
        resonances=((105, 0.3, 7), (185, 0.35, 7), (300, 0.4, 5), (700, 0.6, 4), (1_900, 0.9, 9)),
        rolloff_hz=3_500,
        attack=0.04,
        release=0.06,
        vibrato_cents=16,
        noise_db=-36,
        gain_db=1,
    ),
}
"""The instruments that can be rendered, by General MIDI program counted from 1."""


class Body:
    """The gain of an instrument's body: named resonances, and small ones that it shares with none.

    Below its lowest resonance a body radiates less, by 9 dB an octave.
    """

    def __init__(self, resonances: tuple[Resonance, ...], seed: int) -> None:
        self._octaves = np.log2(20.0) + np.arange(0, 10, 1 / 24)
        coarse = self._octaves[::3]
        small = Generator(PCG64(seed)).normal(0, 3.0, len(coarse))
        self._decibels = np.interp(self._octaves, coarse, small)
        for center, width, peak in resonances:
            distance = (self._octaves - np.log2(center)) / width
            self._decibels += peak * np.exp(-(distance**2))
        lowest = np.log2(min(center for center, _, _ in resonances))
        self._decibels -= 9.0 * np.clip(lowest - self._octaves, 0, None)

    def gain(self, hz: ArrayLike) -> NDArray[np.float64]:
        """The factor, of the shape of `hz`, by which a partial at each frequency is made louder."""
        return decibels_to_gain(np.interp(np.log2(hz), self._octaves, self._decibels))


def decibels_to_gain(decibels: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(10.0 ** (np.asarray(decibels) / 20))
