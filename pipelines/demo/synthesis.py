"""A small additive synthesizer: notes in, one mono recording of a room with players in it out.

Bowed strings are read from wavetables, whose partials follow the resonances of a body as the
vibrato moves them. Struck and plucked strings are sums of stiff, decaying partials. The same notes
and seed give the same samples, bit for bit, with one version of numpy on one kind of processor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from scipy import signal

from pipelines.demo.instruments import INSTRUMENTS, Body, Bowed, Struck, decibels_to_gain

SAMPLE_RATE = 44_100
"""Samples per second of everything that is rendered."""

MAX_PARTIAL_HZ = 16_000.0
"""No partial lies higher, vibrato apart: far enough from half the sample rate to fold none back."""

_PEAK = 10 ** (-3 / 20)
_FLOOR_RMS = 10 ** (-70 / 20)

_TABLE = 4_096
_BLOCK, _ROWS = 256, 8
_POOL_SECONDS = 4.0

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Note:
    """One note: it is struck at `start_sample` and released at `end_sample`.

    `pitch` is a MIDI number, `velocity` is between 0 and 1, `instrument` a key of `INSTRUMENTS`.
    """

    start_sample: int
    end_sample: int
    pitch: int
    velocity: float
    instrument: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_sample < self.end_sample:
            raise ValueError(
                f"a note must start at 0 or later and end after that, not "
                f"{self.start_sample}..{self.end_sample}"
            )
        if not 0 <= self.pitch < 128 or not 0 <= self.velocity <= 1:
            raise ValueError(f"impossible pitch={self.pitch} or velocity={self.velocity}")
        if self.instrument not in INSTRUMENTS:
            raise ValueError(f"instrument={self.instrument} is not one of {sorted(INSTRUMENTS)}")


def render(notes: Sequence[Note], samples: int, seed: int) -> NDArray[np.float32]:
    """The recording of `notes`, float32 [samples] at 44,100 Hz, peaking at -3 dBFS.

    Every note sounds from exactly its `start_sample` and dies away after its `end_sample`, in a
    quiet room that is never digitally silent. Raises `ValueError` if a note ends too late.
    """
    late = [note for note in notes if note.end_sample > samples]
    if late:
        raise ValueError(f"{late[0]} ends after the recording's {samples} samples")
    rng = Generator(PCG64(seed))
    wood = {
        code: (Body(INSTRUMENTS[code].resonances, code), _noise_pool(rng))
        for code in sorted({note.instrument for note in notes})
    }
    mix: Array = np.zeros(samples)
    for note in notes:
        voice, (body, pool) = INSTRUMENTS[note.instrument], wood[note.instrument]
        if isinstance(voice, Bowed):
            sound = _bowed(note, voice, body, pool, rng)
        else:
            sound = _struck(note, voice, body, pool, rng)
        end = min(samples, note.start_sample + len(sound))
        mix[note.start_sample : end] += sound[: end - note.start_sample]
    mix = signal.oaconvolve(mix, _room_response(rng))[:samples]
    mix *= _PEAK / max(float(np.abs(mix).max()), 1e-9)
    mix += _FLOOR_RMS * _room_noise(samples, rng)
    mix *= _PEAK / max(float(np.abs(mix).max()), _PEAK)
    return mix.astype(np.float32)


def _bowed(note: Note, voice: Bowed, body: Body, pool: Array, rng: Generator) -> Array:
    """Four wavetables: soft and bright bowing, at the lower and upper end of the vibrato."""
    held = note.end_sample - note.start_sample
    time = np.arange(held + int(3 * voice.release * SAMPLE_RATE)) / SAMPLE_RATE
    seconds = held / SAMPLE_RATE
    depth = voice.vibrato_cents * rng.uniform(0.7, 1.2) * np.clip((seconds - 0.12) / 0.4, 0, 1)
    rate, phase = rng.uniform(5.0, 6.2), rng.uniform(0, 2 * np.pi)
    swing = np.clip((time - 0.08) / 0.25, 0, 1) * np.sin(2 * np.pi * rate * time + phase)
    cents = rng.normal(0, 3) + depth * swing - 12 * np.exp(-time / 0.02)
    frequency = _pitch_hz(note.pitch)
    cycles = rng.uniform() + np.cumsum(frequency * np.exp2(cents / 1200)) / SAMPLE_RATE

    attack = voice.attack * (1.3 - 0.6 * note.velocity) * min(1.0, 0.4 + seconds)
    envelope = (1 - np.exp(-3 * time / attack)) * (0.75 + 0.6 * np.exp(-time / 0.06))
    envelope *= 1 + 0.25 * np.sin(np.pi * np.clip(time / seconds, 0, 1)) * min(1.0, seconds)
    envelope *= 1 - 0.35 * np.clip(time / seconds, 0, 1) ** 2
    envelope *= _wander(len(time), 25.0, 0.07, rng)
    envelope[held:] *= np.exp(-(time[held:] - time[held]) * 2.2 / voice.release)
    _fade_out(envelope)

    bright = np.clip(envelope * (0.35 + 0.65 * note.velocity), 0, 1)
    upper = 0.5 + 0.5 * swing
    tables = _bowed_tables(frequency, voice, body, max(depth, 4.0), rng)
    position = (cycles % 1.0) * _TABLE
    index = position.astype(np.intp)
    fraction = position - index
    weights = (
        (1 - bright) * (1 - upper),
        (1 - bright) * upper,
        bright * (1 - upper),
        bright * upper,
    )
    tone = np.zeros(len(time))
    for table, weight in zip(tables, weights, strict=True):
        low = table[index]
        tone += weight * (low + fraction * (table[index + 1] - low))
    scratch = 1 + 5 * np.exp(-time / 0.02)
    noise = _gain(voice.noise_db) * scratch * _slice_of(pool, len(time), rng)
    return _level(note.velocity, voice) * envelope * (tone + noise)


def _bowed_tables(
    frequency: float, voice: Bowed, body: Body, depth: float, rng: Generator
) -> list[Array]:
    """Single cycles [_TABLE + 1] of unit loudness: (soft, bright) times (lower, upper)."""
    order = np.arange(1, max(2, int(MAX_PARTIAL_HZ / frequency) + 1))
    phases = rng.uniform(0, 2 * np.pi, len(order))
    tables = []
    for rolloff_hz in (0.45 * voice.rolloff_hz, voice.rolloff_hz):
        for cents in (-depth, depth):
            hz = order * frequency * 2 ** (cents / 1200)
            amplitude = body.gain(hz) / order / (1 + (hz / rolloff_hz) ** 3)
            spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
            spectrum[order] = amplitude * np.exp(1j * phases)
            table = np.fft.irfft(spectrum) * _TABLE
            tables.append(np.append(table, table[0]))
    loudness = np.sqrt(np.mean(np.square(tables[-2:])))
    return [0.25 * table / loudness for table in tables]


def _struck(note: Note, voice: Struck, body: Body, pool: Array, rng: Generator) -> Array:
    """Partials that decay in two stages, the first fast, as coupled strings do."""
    frequency = _pitch_hz(note.pitch)
    held = note.end_sample - note.start_sample
    length = held + int(5 * voice.release * SAMPLE_RATE)
    # The form is that of Rigaud, David and Daudet (2011), "A parametric model of piano tuning".
    stiffness = np.exp(0.0926 * note.pitch - 13.64) + np.exp(-0.0847 * note.pitch - 5.82)
    order = np.arange(1, 64)
    hz = order * frequency * np.sqrt(1 + stiffness * order**2)
    order, hz = order[hz < MAX_PARTIAL_HZ], hz[hz < MAX_PARTIAL_HZ]
    slope_hz = (voice.brightness_hz + 0.7 * frequency) * 2 ** (
        voice.touch * (2 * note.velocity - 1)
    )
    amplitude = body.gain(hz) * np.exp(-hz / slope_hz) / np.sqrt(order)
    amplitude *= 0.15 + np.abs(np.sin(np.pi * order * voice.position))
    amplitude *= 0.25 / np.sqrt(np.sum(amplitude**2))
    decay = voice.damping * 2 ** ((note.pitch - 60) / 14) + 2.5e-7 * hz**2
    phases = rng.uniform(0, 2 * np.pi, len(order))

    few = min(16, len(order))
    hz = np.concatenate([hz, hz[:few] * 2 ** (rng.normal(0, 0.7, few) / 1200)])
    decay = np.concatenate([1.8 * decay, 0.45 * decay[:few]])
    amplitude = np.concatenate([amplitude, 0.35 * amplitude[:few]])
    phases = np.concatenate([phases, phases[:few]])
    tone = _decaying_sinusoids(hz, decay, amplitude, phases, length)

    time = np.arange(length) / SAMPLE_RATE
    attack = voice.attack * (1.4 - 0.8 * note.velocity) * 2 ** ((60 - note.pitch) / 36)
    envelope = 0.5 - 0.5 * np.cos(np.pi * np.clip(time / attack, 0, 1))
    envelope[held:] *= np.exp(-(time[held:] - time[held]) / voice.release)
    _fade_out(envelope)
    knock = _gain(voice.knock_db) * np.exp(-time / 0.012) * _slice_of(pool, length, rng)
    return _level(note.velocity, voice) * envelope * (tone + knock)


def _decaying_sinusoids(
    hz: Array, decay: Array, amplitude: Array, phases: Array, length: int
) -> Array:
    """Sum of amplitude * exp(-decay * t) * cos(2 pi hz t + phase), [length].

    Sample b * _BLOCK + r of an exponential is the product of one that is stepped by blocks and one
    that is stepped by samples, so that the sum over partials is a matrix product. The products are
    small enough that OpenBLAS takes one thread for each: no bit depends on the number of cores.
    """
    step = (-decay + 2j * np.pi * hz) / SAMPLE_RATE
    count = -(-length // (_ROWS * _BLOCK))
    blocks = np.exp(np.multiply.outer(np.arange(count * _ROWS) * _BLOCK, step))
    within = np.exp(np.multiply.outer(step, np.arange(_BLOCK)))
    within *= (amplitude * np.exp(1j * phases))[:, None]
    stack = blocks.reshape(count, _ROWS, len(hz))
    real = stack.real.copy() @ within.real.copy()
    return (real - stack.imag.copy() @ within.imag.copy()).ravel()[:length]


def _noise_pool(rng: Generator) -> Array:
    """A few seconds of noise of unit level between 0.3 and 3.5 kHz: bow hair, felt, wood."""
    white = rng.normal(size=int(_POOL_SECONDS * SAMPLE_RATE))
    sections = signal.butter(2, (300, 3_500), "bandpass", fs=SAMPLE_RATE, output="sos")
    noise: Array = signal.sosfilt(sections, white)
    return noise / float(noise.std())


def _slice_of(pool: Array, length: int, rng: Generator) -> Array:
    start = int(rng.integers(len(pool)))
    return np.take(pool, np.arange(start, start + length), mode="wrap")


def _room_response(rng: Generator) -> Array:
    """The sound itself, then a second of diffuse echoes that lose their treble first."""
    time = np.arange(int(0.9 * SAMPLE_RATE)) / SAMPLE_RATE
    white = rng.normal(size=len(time))
    sections = signal.butter(1, 1_200, fs=SAMPLE_RATE, output="sos")
    low: Array = signal.sosfilt(sections, white)
    tail = low * np.exp(-time * 6.9 / 0.9) + 0.5 * (white - low) * np.exp(-time * 6.9 / 0.45)
    tail *= np.clip((time - 0.006) / 0.01, 0, 1)
    response: Array = tail * (0.35 / np.sqrt(np.sum(tail**2)))
    response[0] = 1.0
    return response


def _room_noise(samples: int, rng: Generator) -> Array:
    """Noise of unit level that falls by 6 dB an octave above 200 Hz, over a little hiss."""
    white = rng.normal(size=samples)
    rumble = signal.sosfilt(signal.butter(1, 200, fs=SAMPLE_RATE, output="sos"), white)
    noise: Array = rumble + 0.02 * white
    return noise / float(noise.std())


def _wander(length: int, rate_hz: float, spread: float, rng: Generator) -> Array:
    """A random curve [length] around 1, with `rate_hz` turning points a second."""
    spacing = int(SAMPLE_RATE / rate_hz)
    points = 1 + rng.normal(0, spread, length // spacing + 2)
    return np.interp(np.arange(length), np.arange(len(points)) * spacing, points)


def _fade_out(envelope: Array) -> None:
    """Takes the last 5 ms to zero, in place, so that a cut-off tail does not click."""
    fade = min(len(envelope), SAMPLE_RATE // 200)
    envelope[-fade:] *= np.linspace(1, 0, fade)


def _pitch_hz(pitch: int) -> float:
    return 440.0 * 2 ** ((pitch - 69) / 12)


def _level(velocity: float, voice: Bowed | Struck) -> float:
    return _gain(voice.gain_db + voice.range_db * (velocity - 1))


def _gain(decibels: float) -> float:
    return float(decibels_to_gain(decibels))
