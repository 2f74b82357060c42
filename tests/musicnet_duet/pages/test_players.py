from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from musicnet_duet.pages import players
from musicnet_duet.pages.players import MOST_SAMPLES, player

RATE = 22_050


def played(made: str) -> tuple[NDArray[np.int16], int]:
    found = re.search(r'src="data:audio/(?:flac|wav);base64,([^"]+)"', made)
    assert found
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])), dtype="int16")
    return samples, rate


@pytest.mark.parametrize("count", [1, 4_096, 4_097, 9_000])
def test_samples_are_played_as_they_are(count: int) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, count).astype(np.int16)
    found, rate = played(player(samples, RATE, "x"))
    np.testing.assert_array_equal(found, samples)
    assert rate == RATE


def test_floats_that_exceed_full_scale_are_made_softer() -> None:
    found, _ = played(player(np.array([0.0, 0.5, 1.0, -1.0], np.float32), RATE, "x"))
    assert found.tolist() == [0, 16384, 32767, -32767]
    found, _ = played(player(np.array([0.0, 1.0, -2.0], np.float32), RATE, "x"))
    assert found.tolist() == [0, 16384, -32767]


def test_a_long_sound_is_cut_and_says_so() -> None:
    samples = np.arange(MOST_SAMPLES + RATE).astype(np.int16)
    made = player(samples, RATE, "x")
    found, _ = played(made)
    np.testing.assert_array_equal(found, samples[:MOST_SAMPLES])
    assert "The first 11.3 of 12.3 s." in made
    assert "The first" not in player(samples[:MOST_SAMPLES], RATE, "x")


def test_without_samples_there_is_no_player() -> None:
    made = player(np.zeros(0, np.int16), RATE, "x")
    assert "<audio" not in made
    assert "no sound" in made


def test_the_label_is_escaped() -> None:
    assert 'aria-label="&lt;&quot;"' in players.player(np.zeros(9, np.int16), RATE, '<"')
