from __future__ import annotations

import numpy as np

from training.plots import RANGE_DB, colorize


def test_low_bins_are_at_the_bottom_and_loud_ones_are_bright() -> None:
    levels = np.full((5, 3), -100.0)
    levels[2, 0] = 0
    image = colorize(levels, 0.0)
    assert image.shape == (3, 5, 3)
    assert image.dtype == np.uint8
    brightness = image.astype(int).sum(axis=-1)
    assert np.unravel_index(brightness.argmax(), brightness.shape) == (2, 2)


def test_levels_beyond_the_range_have_its_colors() -> None:
    levels = np.array([[-RANGE_DB, -RANGE_DB - 50, 0, 50]])
    image = colorize(levels, 0.0)
    np.testing.assert_array_equal(image[3], image[2])
    np.testing.assert_array_equal(image[1], image[0])
