from __future__ import annotations

import numpy as np
import pytest

from tests.support.dataset_factory import CONFIG
from training.novelty import PatchSearch, spectral_summary

RNG = np.random.default_rng(0)
MEAN = np.linspace(-10, -50, 5)
CORPUS = [RNG.normal(-30, 20, (frames, 5)).astype(np.float32) for frames in (40, 25, 7, 3)]


def without_envelope(levels: np.ndarray) -> np.ndarray:
    """The deviations from the mean less those of the average of each bin and its neighbors."""
    deviations = np.pad(levels.astype(np.float64) - MEAN, [(0, 0), (1, 1)], mode="edge")
    neighbors = deviations[:, :-2], deviations[:, 1:-1], deviations[:, 2:]
    return deviations[:, 1:-1] - sum(neighbors) / 3


def nearest(patches: np.ndarray, corpus: list[np.ndarray], mean_db: np.ndarray) -> np.ndarray:
    search = PatchSearch(patches, mean_db)
    return np.min([search.distances(window) for window in corpus], axis=0)


def brute_force(excerpt: np.ndarray) -> float:
    frames = len(excerpt)
    mine = without_envelope(excerpt).ravel()
    theirs = [
        without_envelope(window[first : first + frames]).ravel()
        for window in CORPUS
        for first in range(len(window) - frames + 1)
    ]
    return min(1 - mine @ other / np.sqrt((mine @ mine) * (other @ other)) for other in theirs)


def test_distances_are_those_of_every_position() -> None:
    excerpts = RNG.normal(-30, 20, (6, 7, 5)).astype(np.float32)
    expected = [brute_force(excerpt) for excerpt in excerpts]
    np.testing.assert_allclose(nearest(excerpts, CORPUS, MEAN), expected, rtol=1e-4)


@pytest.mark.parametrize("first", [0, 11, 33])
def test_a_copy_is_at_no_distance_wherever_it_is_from(first: int) -> None:
    assert nearest(CORPUS[0][np.newaxis, first : first + 7], CORPUS, MEAN)[0] < 1e-6


def test_a_copy_is_found_at_another_level_and_through_a_filter() -> None:
    frames = np.arange(50)[:, np.newaxis]
    notes = 40 * (RNG.random((50, 128)) < 0.1) + RNG.normal(0, 3, (50, 128))
    softer = notes - 30 - 20 * np.linspace(0, 1, 128) - 10 * frames / 50
    distances = nearest(np.stack([softer, notes[::-1]]), [notes], np.zeros(128))
    assert distances[0] < 0.02
    assert distances[1] > 0.5


def test_quiet_passages_are_not_copies_of_each_other() -> None:
    """By deviations from the mean alone, whatever is as quiet would be."""
    one, other = -40 + RNG.normal(0, 5, (2, 20, 128))
    assert np.vdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)) > 0.95
    assert nearest(one[np.newaxis], [other], np.zeros(128))[0] > 0.9


def test_a_blur_of_the_corpus_is_no_copy_of_it() -> None:
    """By RMS differences it would be nearer to the corpus than other music is."""
    mean = np.concatenate(CORPUS).mean(axis=0)
    blur = mean + RNG.normal(0, 2, (1, 7, 5))
    other = RNG.normal(-30, 20, (1, 7, 5))
    rms = [np.sqrt(np.mean((CORPUS[0][:7] - each[0]) ** 2)) for each in (blur, other)]
    assert rms[0] < rms[1]
    assert nearest(blur, CORPUS, mean)[0] > 0.3


def test_no_position_is_infinitely_far() -> None:
    assert nearest(CORPUS[0][np.newaxis], CORPUS[1:], MEAN).tolist() == [np.inf]


def test_summary_of_a_band_of_noise() -> None:
    levels = np.full((10, CONFIG.n_mels), -100.0)
    levels[:, 2] = 20
    narrow = spectral_summary(levels, CONFIG)
    levels[:, 5] = 20
    wide = spectral_summary(levels, CONFIG)
    louder = spectral_summary(levels + 6, CONFIG)
    assert narrow.spread_hz < 5 < wide.spread_hz
    assert narrow.centroid_hz < wide.centroid_hz
    assert louder.level_db == pytest.approx(wide.level_db + 6, abs=0.01)
    assert louder.spread_hz == pytest.approx(wide.spread_hz, rel=1e-3)
