from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from pipelines.demo.instruments import CELLO, HARPSICHORD, INSTRUMENTS, PIANO, VIOLA, VIOLIN
from pipelines.demo.synthesis import MAX_PARTIAL_HZ, SAMPLE_RATE, Note, render

EVERY_INSTRUMENT = pytest.mark.parametrize("instrument", sorted(INSTRUMENTS))
SECOND = SAMPLE_RATE


def one_note(instrument: int, pitch: int = 69, velocity: float = 0.7) -> NDArray[np.float32]:
    """A second of it, from 0.5 s on, in a recording of 2.5 s."""
    start = SECOND // 2
    return render([Note(start, start + SECOND, pitch, velocity, instrument)], 5 * SECOND // 2, 3)


def spectrum(samples: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frequencies in Hz and power in dB of a windowed stretch."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 10 * np.log10(power + 1e-20)


def level_db(samples: NDArray[np.float32]) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


@EVERY_INSTRUMENT
def test_an_a_has_a_partial_at_440_hz_and_more_above_it(instrument: int) -> None:
    hz, power = spectrum(one_note(instrument)[3 * SECOND // 4 : 3 * SECOND // 2])
    for order in (1, 2, 3):
        near = np.flatnonzero(np.abs(hz - 440 * order) < 60)
        peak = near[np.argmax(power[near])]
        assert abs(hz[peak] - 440 * order) < 4 * order
        valley = np.abs(hz - 440 * (order - 0.5)) < 60
        assert power[peak] > np.median(power[valley]) + 20


@pytest.mark.parametrize("instrument", [PIANO, VIOLIN])
def test_the_fundamental_of_an_a_is_its_strongest_partial(instrument: int) -> None:
    hz, power = spectrum(one_note(instrument)[3 * SECOND // 4 : 3 * SECOND // 2])
    assert abs(hz[np.argmax(power)] - 440) < 4


@EVERY_INSTRUMENT
@pytest.mark.parametrize("pitch", [48, 60, 84])
def test_a_note_starts_at_its_sample(instrument: int, pitch: int) -> None:
    onset, samples = SECOND // 2, one_note(instrument, pitch)
    assert level_db(samples[:onset]) < -65
    few = SECOND // 200
    assert level_db(samples[onset : onset + few]) > level_db(samples[onset - few : onset]) + 20


@EVERY_INSTRUMENT
def test_a_note_dies_away_after_its_end(instrument: int) -> None:
    samples = one_note(instrument)
    held, after = samples[SECOND : 3 * SECOND // 2], samples[2 * SECOND :]
    assert level_db(after) < level_db(held) - 20


def test_a_piano_decays_and_a_violin_does_not() -> None:
    def fall(instrument: int) -> float:
        samples = one_note(instrument)
        return level_db(samples[26_000:35_000]) - level_db(samples[52_000:61_000])

    assert fall(PIANO) > 3 > abs(fall(VIOLIN))


@EVERY_INSTRUMENT
def test_a_louder_note_is_louder(instrument: int) -> None:
    soft = Note(0, SECOND // 2, 60, 0.3, instrument)
    loud = Note(3 * SECOND, 7 * SECOND // 2, 60, 0.9, instrument)
    samples = render([soft, loud], 4 * SECOND, 1)
    expected = 0.6 * INSTRUMENTS[instrument].range_db
    difference = level_db(samples[3 * SECOND :][:SECOND]) - level_db(samples[:SECOND])
    assert difference == pytest.approx(expected, abs=4)


def strongest_line_db(instrument: int, pitch: int) -> float:
    """How far a note's strongest line beyond the highest partial stands out of the noise there."""
    hz, power = spectrum(one_note(instrument, pitch)[SECOND // 2 : 3 * SECOND // 2])
    band = power[hz > 1.03 * MAX_PARTIAL_HZ]
    return float(np.max(band - median_filter(band, 401)))


@EVERY_INSTRUMENT
@pytest.mark.parametrize("pitch", [69, 97, 103])
def test_no_partial_lies_near_half_the_sample_rate(instrument: int, pitch: int) -> None:
    assert strongest_line_db(instrument, pitch) < 15


@pytest.mark.parametrize("instrument", [HARPSICHORD, VIOLIN])
def test_partials_that_are_folded_back_would_be_seen(
    instrument: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.demo.synthesis.MAX_PARTIAL_HZ", 40_000.0)
    assert strongest_line_db(instrument, 103) > 17


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    notes = [Note(0, 9_000, 50, 0.5, CELLO), Note(4_000, 9_000, 64, 0.5, VIOLA)]
    first = render(notes, 20_000, 1)
    np.testing.assert_array_equal(first, render(notes, 20_000, 1))
    assert not np.array_equal(first, render(notes, 20_000, 2))


NOTES = st.builds(
    lambda start, length, pitch, velocity, instrument: Note(
        start, start + length, pitch, velocity, instrument
    ),
    st.integers(0, 20_000),
    st.integers(1, 20_000),
    st.integers(0, 127),
    st.floats(0, 1),
    st.sampled_from(sorted(INSTRUMENTS)),
)


@settings(max_examples=25, deadline=None)
@given(notes=st.lists(NOTES, max_size=6), seed=st.integers(0, 2**32))
def test_any_notes_give_finite_samples_that_peak_at_3_db_below_full_scale(
    notes: list[Note], seed: int
) -> None:
    samples = render(notes, 45_000, seed)
    assert samples.dtype == np.float32
    assert samples.shape == (45_000,)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= np.float32(10 ** (-3 / 20))
    assert (samples[:1_000] != 0).any(), "a room is never silent"


def test_notes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="must start at 0 or later"):
        Note(10, 10, 60, 0.5, PIANO)
    with pytest.raises(ValueError, match="pitch=128"):
        Note(0, 10, 128, 0.5, PIANO)
    with pytest.raises(ValueError, match=r"velocity=1\.5"):
        Note(0, 10, 60, 1.5, PIANO)
    with pytest.raises(ValueError, match="instrument=74 is not one of"):
        Note(0, 10, 60, 0.5, 74)
    with pytest.raises(ValueError, match="ends after the recording's 9 samples"):
        render([Note(0, 10, 60, 0.5, PIANO)], 9, 0)
