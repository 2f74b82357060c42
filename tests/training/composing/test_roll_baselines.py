from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.composing.baselines import NAMES, fit_chains
from training.composing.states import HELD, SILENT, STRUCK


def rolls(seed: int, frames: int) -> np.ndarray:
    """A chain of two pitches: the first is struck in a tenth of frames, the other in a third."""
    rng = np.random.default_rng(seed)
    states = np.zeros((frames, 2), int)
    for frame in range(1, frames):
        for pitch, rate in enumerate((0.1, 0.33)):
            u = rng.random()
            if states[frame - 1, pitch] == SILENT:
                states[frame, pitch] = STRUCK if u < rate else SILENT
            else:
                states[frame, pitch] = STRUCK if u < 0.05 else SILENT if u < 0.25 else HELD
    return states


@pytest.mark.parametrize("name", NAMES)
def test_the_masses_of_all_frames_that_may_follow_sum_to_one(name: str) -> None:
    chain = fit_chains([rolls(0, 200)], 2)[name]
    for before in ([0, 0], [1, 0], [2, 2]):
        frames = itertools.product(range(3), repeat=2)
        masses = [2.0 ** -chain.bits(np.array([before, frame]))[0] for frame in frames]
        assert sum(masses) == pytest.approx(1)


def test_the_chains_find_the_rates_and_each_pitch_has_its_own() -> None:
    fitted = fit_chains([rolls(seed, 5_000) for seed in range(4)], 2)
    by_pitch = 2.0 ** fitted["by pitch"].log2_probs
    np.testing.assert_allclose(by_pitch[:, 0, STRUCK], [0.1, 0.33], atol=0.02)
    np.testing.assert_allclose(by_pitch[:, 1], [[0.2, 0.75, 0.05]] * 2, atol=0.02)
    same = 2.0 ** fitted["same for all pitches"].log2_probs
    np.testing.assert_array_equal(same[0], same[1])
    unseen = rolls(9, 2_000)
    bits = {name: chain.bits(unseen).mean() for name, chain in fitted.items()}
    assert bits["by pitch"] < bits["same for all pitches"]


@pytest.mark.parametrize("name", NAMES)
def test_what_training_never_showed_has_finite_bits(name: str) -> None:
    chain = fit_chains([np.zeros((5, 2), int)], 2)[name]
    assert np.isfinite(chain.bits(np.array([[0, 0], [2, 0], [1, 2], [0, 1], [2, 2]]))).all()
