"""How a stored feature becomes an array of a batch: cut to a crop, and of the batch's dtype."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas import FeatureConfig, FeatureSpec
from training.reading.options import ReadOptions


@dataclasses.dataclass(frozen=True)
class FeatureLayout:
    """One feature of a batch: `shape` and `dtype` of an example; `padding` fills missing frames.

    `step` counts the entries of the feature's first axis that belong to a frame: 1, or the hop
    length for a waveform.
    """

    spec: FeatureSpec
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    step: int
    padding: float

    @functools.cached_property
    def is_direct(self) -> bool:
        """Whether an example is the stored bytes as they are."""
        return self.shape == self.spec.shape and self.dtype == np.dtype(self.spec.dtype)

    @functools.cached_property
    def nbytes(self) -> int:
        """Bytes of an example."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def crop(self, stored: memoryview, start: int) -> NDArray[Any]:
        """The example that begins at frame `start` of a stored window."""
        window = np.frombuffer(stored, self.spec.dtype).reshape(self.spec.shape)
        first = start * self.step
        return window[first : first + self.shape[0]]


def layouts(config: FeatureConfig, options: ReadOptions) -> Mapping[str, FeatureLayout]:
    """The layout of each feature that is read; `log_mel` is float32 whatever is stored."""
    specs = config.specs()
    found = {}
    for name in options.features:
        spec = specs[name]
        step = spec.shape[0] // config.window_frames
        found[name] = FeatureLayout(
            spec=spec,
            shape=(options.crop_frames * step, *spec.shape[1:]),
            dtype=np.dtype("<f4") if name == "log_mel" else np.dtype(spec.dtype),
            step=step,
            padding=config.floor_db if name == "log_mel" else 0.0,
        )
    return found
