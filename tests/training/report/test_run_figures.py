from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fitting.checkpoints import Index
from training.fitting.curve import Curve
from training.report.figures import averaged, curve_section, results_section
from training.runs import read_run

VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=200)


@given(values=VALUES, most=st.integers(1, 50))
def test_means_of_blocks_keep_the_mean_of_all(values: list[float], most: int) -> None:
    points = tuple(enumerate(values, start=1))
    found, block = averaged(points, most)
    assert len(found) <= most
    sizes = [min(block, len(values) - first) for first in range(0, len(values), block)]
    for column in (0, 1):
        expected = np.mean([each[column] for each in points])
        weighted = np.average([each[column] for each in found], weights=sizes)
        np.testing.assert_allclose(weighted, expected, atol=1e-9)
    if len(values) <= most:
        assert (found, block) == (points, 1)


@pytest.mark.parametrize("count", [1, 12, 13, 200])
def test_some_validations_are_listed_and_the_best_is_among_them(
    count: int, small_run: object
) -> None:
    scores = np.random.default_rng(count).permutation(count) + 1.5
    validation = tuple((10 * step, float(score)) for step, score in enumerate(scores, start=1))
    curve = Curve(((10 * count, 3.25),), validation, ((10 * count, 0.1),))
    html = results_section(read_run(str(small_run)), curve, Index())
    best = 10 * (int(scores.argmin()) + 1)
    table = html.partition("alidations</caption>")[2]
    for step in (10, best, 10 * count):
        assert f'<th scope="row">{step:,}</th>' in table
    assert table.count('scope="row"') <= 13
    assert '<td class="number">1.500</td>' in table
    assert (f" of {count} validations" in html) == (count > 12)


def test_a_run_without_a_step_has_no_curve(small_run: object) -> None:
    run = read_run(str(small_run))
    html = curve_section(run, Curve((), (), ()))
    assert "<img" not in html
    assert "No step is noted yet." in html
    assert "none" in results_section(run, Curve((), (), ()), Index())
