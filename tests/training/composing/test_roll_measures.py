from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.support.composers import NOTES, roll_of
from training.composing.judging import RollJudge
from training.composing.measures import independent_frames, note_frames, roll_measures
from training.composing.states import HELD, SILENT, STRUCK, states_of
from training.composing.windows import Roll


def test_the_measures_of_a_few_notes_are_those_counted_by_hand() -> None:
    rolls = roll_of([(60, 0, 4), (64, 4, 2), (67, 4, 6)], 10)
    found = roll_measures(states_of(*rolls, (21, 108)).numpy(), 21, rate=5.0)
    assert found["onsets_per_second"] == pytest.approx(3 / 2)
    assert found["polyphony"] == pytest.approx((4 + 2 + 6) / 10)
    shares = np.array([4, 2, 6]) / 12
    assert found["pitch_class_bits"] == pytest.approx(-(shares * np.log2(shares)).sum())
    assert found["note_seconds_median"] == pytest.approx(4 / 5)
    assert found["note_seconds_p5"] == pytest.approx(np.percentile([2, 4, 6], 5) / 5)
    assert found["note_seconds_p95"] == pytest.approx(np.percentile([2, 4, 6], 95) / 5)


def test_silence_has_measures() -> None:
    found = roll_measures(np.zeros((5, 88), int), 21, rate=5.0)
    assert all(np.isfinite(each) for each in found.values())
    assert found["onsets_per_second"] == found["note_seconds_p95"] == 0


@given(NOTES)
def test_a_note_lasts_until_it_ends_or_is_struck_again(notes: list[tuple[int, int, int]]) -> None:
    states = states_of(*roll_of(notes, 20), (0, 127)).numpy()
    expected = []
    for pitch in range(128):
        for frame in range(20):
            if states[frame, pitch] == STRUCK:
                end = frame + 1
                while end < 20 and states[end, pitch] == HELD:
                    end += 1
                expected.append(end - frame)
    assert note_frames(states).tolist() == expected


def test_independent_frames_have_the_shares_of_pitches_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    states = np.where(rng.random((4_000, 3)) < [0.1, 0.5, 0.9], HELD, SILENT)
    found = independent_frames(states, rng)
    np.testing.assert_allclose((found != SILENT).mean(axis=0), [0.1, 0.5, 0.9], atol=0.03)
    assert not ((found[1:] == HELD) & (found[:-1] == SILENT)).any()
    assert not ((found[1:] == STRUCK) & (found[:-1] != SILENT)).any()


def windows_of_music(count: int) -> list[Roll]:
    """Each a melody of its own tempo, of five recordings."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        notes, first = [], 0
        while first < 300:
            length = int(rng.integers(5, 25))
            notes.append((int(rng.integers(50, 80)), first, min(length, 300 - first)))
            first += length
        found.append(Roll(f"recording {number % 5}", 0, *roll_of(notes, 300)))
    return found


def test_music_is_like_music_and_independent_frames_are_not() -> None:
    judge = RollJudge.of(windows_of_music(50), 300, (21, 108), 43.0)
    others = [each.states((21, 108)) for each in windows_of_music(60)[50:]]
    assert judge.real_windows == 50
    music = judge.judge(others)
    assert music
    assert (music.windows, music.outside) == (10, ())
    assert music.unlike_windows is not None
    assert music.unlike_windows <= 3
    rng = np.random.default_rng(2)
    control = judge.judge([independent_frames(each, rng) for each in others])
    assert control
    assert control.unlike_windows == 10
    assert control.outside
    assert "onsets_per_second" in control.outside
    assert "note_seconds_median" in control.outside


def test_few_real_windows_judge_nothing() -> None:
    for count in (0, 10):
        judge = RollJudge.of(windows_of_music(count), 300, (21, 108), 43.0)
        found = judge.judge([windows_of_music(1)[0].states((21, 108))])
        assert found
        assert (judge.intervals, found.outside, found.unlike_windows) == (None, None, None)


def test_no_windows_have_no_judgment() -> None:
    assert RollJudge.of([], 300, (21, 108), 43.0).judge([]) is None


def test_windows_that_are_cut_short_do_not_count() -> None:
    short = [Roll("a", 0, *roll_of([(60, 0, 9)], 299))]
    assert RollJudge.of([*windows_of_music(3), *short], 300, (21, 108), 43.0).real_windows == 3
