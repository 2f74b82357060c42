from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.reading import read_split, shares, spread, valid_frames
from schemas import Dataset, Window
from schemas.errors import DamagedDataError
from tests.support.damage import damaged_copy


@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=4), most=st.integers(0, 40))
def test_splits_have_even_shares(counts: list[int], most: int) -> None:
    named = {str(number): count for number, count in enumerate(counts)}
    taken = shares(named, most)
    assert sum(taken.values()) == min(most, sum(counts))
    assert all(taken[name] <= count for name, count in named.items())
    unfilled = [taken[name] for name, count in named.items() if taken[name] < count]
    if unfilled:
        assert max(taken.values()) - min(unfilled) <= 1


@given(valid=st.lists(st.integers(1, 12), max_size=40), count=st.integers(0, 10))
def test_each_part_of_a_split_shows_its_first_long_window(valid: list[int], count: int) -> None:
    count = min(count, len(valid))
    found = spread(np.array(valid, np.int32), count, 6)
    assert len(found) == count
    for part, position in enumerate(found):
        first, end = len(valid) * part // count, len(valid) * (part + 1) // count
        assert first <= position < end
        long = [each for each in range(first, end) if valid[each] >= 6]
        if long:
            assert position == long[0]
        else:
            assert valid[position] == max(valid[first:end])


def test_valid_frames_are_those_of_the_windows(rolls: Path) -> None:
    dataset = Dataset(rolls)
    for split, summary in dataset.manifest.splits.items():
        expected = [dataset.window(split, each).valid_frames for each in range(summary.windows)]
        assert valid_frames(dataset, split).tolist() == expected


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_window_is_read_once_in_order(rolls: Path, split: str) -> None:
    dataset = Dataset(rolls)
    read = list(read_split(dataset, split, features=("notes", "log_mel"), whole={1}))
    count = dataset.manifest.splits[split].windows
    assert [position for position, _ in read] == list(range(count))
    for position, window in read:
        expected = dataset.window(split, position)
        assert isinstance(window, Window)
        assert (window.recording_id, window.first_frame, window.valid_frames) == (
            expected.recording_id, expected.first_frame, expected.valid_frames)  # fmt: skip
        names = set(expected.features) if position == 1 else {"notes", "log_mel"}
        assert set(window.features) == names
        for name, array in window.features.items():
            np.testing.assert_array_equal(array, expected.features[name])


def test_a_damaged_window_costs_one_window(rolls: Path, tmp_path: Path) -> None:
    dataset, shard, row = damaged_copy(
        rolls, tmp_path / "dataset", shard=1, window=2, feature="notes"
    )
    read = list(read_split(dataset, "train", features=("notes",), whole=()))
    damaged = [each for _, each in read if isinstance(each, DamagedDataError)]
    assert len(read) == dataset.manifest.splits["train"].windows
    assert len(damaged) == 1
    assert f"{shard}: window of {row['recording_id']} at frame" in str(damaged[0])
