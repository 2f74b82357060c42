"""Windows of random numbers, for tests of the codecs."""

from __future__ import annotations

import numpy as np

from schemas import FeatureConfig, Window

CONFIG = FeatureConfig(n_mels=7, window_frames=5, stride_frames=5, hop_length=32)


def random_window(seed: int, config: FeatureConfig = CONFIG) -> Window:
    rng = np.random.default_rng(seed)
    features = {
        name: rng.integers(-99, 99, spec.shape).astype(spec.dtype)
        for name, spec in config.specs().items()
    }
    name = "".join(rng.choice(list("abc 0/éあ"), rng.integers(1, 9)))
    return Window(name, int(rng.integers(0, 2**40)), int(rng.integers(1, 6)), features)
