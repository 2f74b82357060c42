"""Maximum mean discrepancy: are two sets of sounds draws from one distribution?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from training.measures.transcriber import Transcriber

PATCH_SECONDS = 1.0


def mmd_squared(one: NDArray[Any], other: NDArray[Any], bandwidth: float) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy of two samples.

    Equation 3 of Gretton et al. (2012, A Kernel Two-Sample Test), with the Gaussian kernel
    exp(-|x - y|^2 / (2 * bandwidth^2)). `one` [m, features] and `other` [n, features] have two rows
    or more. Its mean is 0 for equal distributions, so that half the values are negative, about; it
    is at most 2. As in the Kernel Audio Distance (Chung et al. 2025).

    Examples:
        >>> points = np.array([[0.0], [0.0]])
        >>> mmd_squared(points, points, bandwidth=1.0)
        0.0
        >>> mmd_squared(points, points + 100, bandwidth=1.0)
        2.0
    """
    return _mmd_squared(
        _kernel(one, one, bandwidth),
        _kernel(other, other, bandwidth),
        _kernel(one, other, bandwidth),
    )


def median_bandwidth(points: NDArray[Any]) -> float:
    """The median distance between two of `points` [n, features], n >= 2 (Gretton et al., 8).

    1 where that is 0.
    """
    return float(np.median(pdist(points))) or 1.0


def patch_embeddings(log_mel: NDArray[Any], transcriber: Transcriber) -> NDArray[np.float32]:
    """An embedding of each second of `log_mel` [frames, n_mels]: [seconds, 2 * hidden units].

    The mean and the standard deviation over its frames of the transcriber's hidden units. Frames
    after the last whole second are left out.
    """
    frames = round(PATCH_SECONDS * transcriber.config.frames_per_second)
    hidden = transcriber.embed(log_mel)
    count = len(hidden) // frames
    patches = hidden[: count * frames].reshape(count, frames, hidden.shape[1])
    return np.concatenate([patches.mean(axis=1), patches.std(axis=1)], axis=1)


def discrepancies(
    windows: Sequence[NDArray[Any]] | None,
    recordings: Mapping[str, Sequence[NDArray[Any]]],
    *,
    count: int,
    bandwidth: float,
    draws: int = 200,
    seed: int = 0,
) -> NDArray[np.float64]:
    """MMD^2 between windows and real music, float64 [draws]; real-versus-real without `windows`.

    `recordings` hold the embeddings [patches, features] of each recording's windows. For each draw,
    the recordings are divided into halves at random, since windows of one recording resemble each
    other. The windows of the second half are compared with `count` of `windows`, or, where those
    are None, with `count` windows of the first half (all of them, where it has fewer). The halves
    are a function of `seed` alone, so that both kinds of call have the same second halves. A set of
    windows is unlike music when the median of its draws exceeds the 95th percentile of
    real-versus-real.

    There must be two recordings or more. The kernel of all patches is held in memory, which is
    8 * patches^2 bytes, so give a selection of a large dataset.
    """
    names = sorted(recordings)
    candidates = [] if windows is None else list(windows)
    every = candidates + [window for name in names for window in recordings[name]]
    rows = np.split(np.arange(sum(map(len, every))), np.cumsum([len(each) for each in every])[:-1])
    real = iter(rows[len(candidates) :])
    rows_of = {name: [next(real) for _ in recordings[name]] for name in names}
    points = np.concatenate(every)
    kernel = _kernel(points, points, bandwidth)
    values = np.empty(draws)
    for draw, child in enumerate(np.random.SeedSequence(seed).spawn(draws)):
        rng = np.random.default_rng(child)
        order = [names[index] for index in rng.permutation(len(names))]
        half = len(order) // 2
        first = [window for name in order[:half] for window in rows_of[name]]
        second = np.concatenate([window for name in order[half:] for window in rows_of[name]])
        pool = first if windows is None else rows[: len(candidates)]
        chosen = np.concatenate([pool[index] for index in rng.permutation(len(pool))[:count]])
        values[draw] = _mmd_squared(
            kernel[np.ix_(chosen, chosen)],
            kernel[np.ix_(second, second)],
            kernel[np.ix_(chosen, second)],
        )
    return values


def _mmd_squared(
    one: NDArray[np.float64], other: NDArray[np.float64], across: NDArray[np.float64]
) -> float:
    """From the kernel within one sample [m, m], within the other [n, n], and across [m, n]."""
    within = _mean_off_diagonal(one) + _mean_off_diagonal(other)
    return float(within - 2 * across.mean())


def _kernel(one: NDArray[Any], other: NDArray[Any], bandwidth: float) -> NDArray[np.float64]:
    return np.exp(-cdist(one, other, "sqeuclidean") / (2 * bandwidth**2))


def _mean_off_diagonal(kernel: NDArray[np.float64]) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
