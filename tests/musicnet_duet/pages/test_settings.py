from __future__ import annotations

import dataclasses

import pytest

from musicnet_duet.pages.settings import UNITS, settings_table
from schemas import FeatureConfig


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (22_050, '<td class="number">22,050</td>'),
        (1e-10, '<td class="number">1e-10</td>'),
        (True, "<td>yes</td>"),
        (None, "<td>none</td>"),
        ((), "<td>none</td>"),
        ((512, 1_024), "<td>512, 1,024</td>"),
        ("<b>", "<td>&lt;b&gt;</td>"),
    ],
)
def test_a_value_is_shown_as_what_it_is(value: object, cell: str) -> None:
    assert f'<th scope="row">name</th>{cell}' in settings_table("x", {"name": value})


def test_lengths_and_frequencies_have_units() -> None:
    plain = {"amin", "dtype", "features", "n_mels", "tail"}
    names = {field.name for field in dataclasses.fields(FeatureConfig)}
    assert names - plain <= set(UNITS)
    assert "sample_rate (Hz)" in settings_table("x", {"sample_rate": 1})
