"""Statistics per mel bin that do not depend on how the work was divided."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import DatasetError


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over `count` frames of mel levels in dB, and of their squares.

    `total` and `total_of_squares` are float64 [n_mels].
    """

    count: int
    total: NDArray[np.float64]
    total_of_squares: NDArray[np.float64]

    @classmethod
    def zero(cls, n_mels: int) -> Statistics:
        """Of no frame at all."""
        return cls(0, np.zeros(n_mels), np.zeros(n_mels))

    @classmethod
    def of(cls, log_mel: NDArray[Any]) -> Statistics:
        """Of the frames of one window's `log_mel` [frames, n_mels], in dB."""
        levels = log_mel.astype(np.float64)
        return cls(len(levels), levels.sum(axis=0), (levels * levels).sum(axis=0))

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.count + other.count,
            self.total + other.total,
            self.total_of_squares + other.total_of_squares,
        )

    @classmethod
    def merge(cls, parts: Iterable[Statistics], n_mels: int) -> Statistics:
        """The sum of the parts. Float addition depends on their order, so it has to be fixed."""
        return sum(parts, start=cls.zero(n_mels))

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean level of each mel bin in dB, float64 [n_mels]; 0 where nothing was counted."""
        return self.total / max(1, self.count)

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of each mel bin in dB, float64 [n_mels]."""
        variance = self.total_of_squares / max(1, self.count) - self.mean**2
        return np.sqrt(np.maximum(variance, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "count": self.count,
            "total": self.total.tolist(),
            "total_of_squares": self.total_of_squares.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Statistics:
        """Reads what `to_dict` made. Raises `DatasetError`, naming `where`, for anything else."""
        try:
            return cls(
                int(values["count"]),
                np.array(values["total"], np.float64),
                np.array(values["total_of_squares"], np.float64),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{where}: statistics cannot be read: {error!r}") from None
