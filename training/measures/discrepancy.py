"""Maximum mean discrepancy: are two sets of sounds draws from one distribution?"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 200
LIMIT_PERCENT = 95


@dataclasses.dataclass(frozen=True)
class Discrepancy:
    """How far a set of windows is from real music, and how far real music is from itself.

    `value` is the median MMD^2 over draws of halves of the real recordings, `limit` the 95th
    percentile of that between two halves.
    """

    value: float
    limit: float

    @property
    def unlike(self) -> bool:
        return self.value > self.limit


class RealHalves:
    """Real music divided at random into halves, between which discrepancies are measured.

    `recordings` hold the rows [rows, features] of each recording's windows; a row is what a kernel
    compares, such as the embedding of a second. Windows of one recording resemble each other, so
    that recordings are divided and not windows. The second half is compared with `count` windows:
    those of the first half (all of them, where it has fewer) for real-versus-real, or others. The
    bandwidth is the median distance of two rows (Gretton et al. 2012, 8). All is a function of the
    arguments.

    There must be two rows in every half. The kernel of all rows is held in memory, which is
    8 * rows^2 bytes, so give a selection of a large dataset.
    """

    def __init__(
        self,
        recordings: Mapping[str, Sequence[NDArray[Any]]],
        *,
        count: int,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> None:
        names = sorted(recordings)
        windows = [window for name in names for window in recordings[name]]
        self._rows = np.concatenate(windows).astype(np.float64)
        self._bandwidth = median_bandwidth(self._rows)
        self._kernel = _kernel(self._rows, self._rows, self._bandwidth)
        self._count = count
        numbers = iter(_row_numbers(windows))
        rows_of = [[next(numbers) for _ in recordings[name]] for name in names]
        self._first: list[list[NDArray[np.intp]]] = []
        self._second: list[NDArray[np.intp]] = []
        rng = np.random.default_rng(seed)
        for _ in range(draws):
            first, second = np.split(rng.permutation(len(names)), [len(names) // 2])
            self._first.append([window for each in first for window in rows_of[each]])
            self._second.append(np.concatenate([w for each in second for w in rows_of[each]]))
        self._within = [_mean_off_diagonal(_part(self._kernel, each)) for each in self._second]

    @functools.cached_property
    def among_real(self) -> NDArray[np.float64]:
        """MMD^2 between two halves, float64 [draws]."""
        rng = np.random.default_rng(0)
        values = []
        for first, second, within in zip(self._first, self._second, self._within, strict=True):
            chosen = _choice(rng, first, self._count)
            across = self._kernel[np.ix_(chosen, second)].mean()
            values.append(_mean_off_diagonal(_part(self._kernel, chosen)) + within - 2 * across)
        return np.array(values)

    def to_real(self, windows: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """MMD^2 between `count` of `windows`, arrays [rows, features], and second halves: [draws].

        Two rows or more must be among them.
        """
        rng = np.random.default_rng(0)
        rows = np.concatenate(list(windows)).astype(np.float64)
        numbers = _row_numbers(windows)
        kernel = _kernel(rows, rows, self._bandwidth)
        to_rows = _kernel(rows, self._rows, self._bandwidth)
        values = []
        for second, within in zip(self._second, self._within, strict=True):
            chosen = _choice(rng, numbers, self._count)
            across = to_rows[np.ix_(chosen, second)].mean()
            values.append(_mean_off_diagonal(_part(kernel, chosen)) + within - 2 * across)
        return np.array(values)

    def discrepancy(self, windows: Sequence[NDArray[Any]]) -> Discrepancy:
        """Whether windows are draws of real music."""
        limit = np.percentile(self.among_real, LIMIT_PERCENT)
        return Discrepancy(float(np.median(self.to_real(windows))), float(limit))


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
    within = _mean_off_diagonal(_kernel(one, one, bandwidth))
    within += _mean_off_diagonal(_kernel(other, other, bandwidth))
    return float(within - 2 * _kernel(one, other, bandwidth).mean())


def median_bandwidth(points: NDArray[Any]) -> float:
    """The median distance between two of `points` [n, features], n >= 2; 1 where that is 0."""
    pairs = np.triu_indices(len(points), 1)
    return float(np.sqrt(np.median(_squared_distances(points, points)[pairs]))) or 1.0


def _mean_off_diagonal(kernel: NDArray[np.float64]) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def _part(kernel: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    return kernel[np.ix_(rows, rows)]


def _kernel(one: NDArray[Any], other: NDArray[Any], bandwidth: float) -> NDArray[np.float64]:
    return np.exp(-_squared_distances(one, other) / (2 * bandwidth**2))


def _squared_distances(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """By one matrix product, from points about their common center: float64 [m, n]."""
    center = other.mean(axis=0, dtype=np.float64)
    one, other = one - center, other - center
    squares = np.add.outer((one**2).sum(axis=1), (other**2).sum(axis=1))
    return np.maximum(squares - 2 * (one @ other.T), 0)


def _row_numbers(windows: Sequence[NDArray[Any]]) -> list[NDArray[np.intp]]:
    """The rows of each window in the concatenation of all."""
    ends = np.cumsum([len(each) for each in windows])
    return np.split(np.arange(ends[-1]), ends[:-1])


def _choice(
    rng: np.random.Generator, windows: Sequence[NDArray[np.intp]], count: int
) -> NDArray[np.intp]:
    """The rows of `count` windows drawn without replacement, or of all where there are fewer."""
    return np.concatenate([windows[each] for each in rng.permutation(len(windows))[:count]])
