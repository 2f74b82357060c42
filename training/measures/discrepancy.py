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
    return float(
        _mean_off_diagonal(_kernel(one, one, bandwidth))
        + _mean_off_diagonal(_kernel(other, other, bandwidth))
        - 2 * _kernel(one, other, bandwidth).mean()
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
    are a function of `seed` alone, so that both kinds of call have the same second halves.
    """
    names = sorted(recordings)
    values = np.empty(draws)
    for draw, child in enumerate(np.random.SeedSequence(seed).spawn(draws)):
        rng = np.random.default_rng(child)
        order = [names[index] for index in rng.permutation(len(names))]
        half = len(order) // 2
        first = [window for name in order[:half] for window in recordings[name]]
        second = [window for name in order[half:] for window in recordings[name]]
        pool = first if windows is None else list(windows)
        chosen = rng.permutation(len(pool))[:count]
        values[draw] = mmd_squared(
            np.concatenate([pool[index] for index in chosen]), np.concatenate(second), bandwidth
        )
    return values


def _kernel(one: NDArray[Any], other: NDArray[Any], bandwidth: float) -> NDArray[np.float64]:
    return np.exp(-cdist(one, other, "sqeuclidean") / (2 * bandwidth**2))


def _mean_off_diagonal(kernel: NDArray[np.float64]) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
