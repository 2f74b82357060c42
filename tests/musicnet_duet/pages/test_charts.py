from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from musicnet_duet.pages.charts import Axis, Series, histogram, line_chart
from musicnet_duet.pages.windows import draw_window
from tests.support.dataset_factory import ALL_FEATURES

X, Y = Axis(label="x"), Axis(label="share (%)")
FRAMES = ALL_FEATURES.window_frames
LEVELS = np.linspace(-80, 0, FRAMES * ALL_FEATURES.n_mels).reshape(FRAMES, -1)


def bars(values: list[float], first: int = 0) -> bytes:
    return histogram({"train": np.array(values), "test": np.ones(len(values))}, first, X, Y)


def line(values: list[float]) -> bytes:
    return line_chart([Series(label="bits", x=range(len(values)), y=values, dots=True)], X, Y)


def window(**rolls: np.ndarray) -> bytes:
    return draw_window(ALL_FEATURES, log_mel=LEVELS, **rolls)


def test_the_same_data_give_the_same_bytes_and_others_do_not() -> None:
    assert bars([1, 2, 3]) == bars([1, 2, 3])
    assert len({bars([1, 2, 3]), bars([1, 2, 4]), bars([1, 2, 3], 5)}) == 3
    assert line([1, 2]) == line([1, 2]) != line([1, 3])


def test_the_background_is_that_of_the_page() -> None:
    for png in (bars([1, 2]), line([1, 2]), window()):
        pixels = matplotlib.image.imread(io.BytesIO(png))
        assert pixels[0, 0, 3] == 0
        assert (pixels[..., 3] > 0.5).any()


def test_settings_of_the_user_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bars([1, 2, 3])
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    assert bars([1, 2, 3]) == before


def test_a_window_shows_its_notes_and_where_they_begin() -> None:
    notes = np.zeros((FRAMES, 128), np.uint8)
    notes[2:9, 60] = 1
    onsets = np.zeros_like(notes)
    onsets[[2, 6], 60] = 1
    pictures = [window(), window(notes=notes * 0), window(notes=notes)]
    pictures.append(window(notes=notes, onsets=onsets))
    pictures.append(draw_window(ALL_FEATURES, log_mel=None, notes=notes))
    assert len(set(pictures)) == len(pictures)
    heights = [matplotlib.image.imread(io.BytesIO(png)).shape[0] for png in pictures]
    assert heights[0] < heights[1] == heights[2] == heights[3] > heights[4]
