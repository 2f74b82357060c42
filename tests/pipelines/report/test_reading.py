from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.reading import read_split, spread
from schemas import Dataset, Window
from schemas.errors import DamagedDataError


@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=4), most=st.integers(0, 40))
def test_positions_are_spread_evenly(counts: list[int], most: int) -> None:
    named = {str(number): count for number, count in enumerate(counts)}
    chosen = spread(named, most)
    sizes = {name: len(found) for name, found in chosen.items()}
    assert sum(sizes.values()) == min(most, sum(counts))
    full = {name for name, count in named.items() if sizes[name] == count}
    others = [size for name, size in sizes.items() if name not in full]
    if others:
        assert max(sizes.values()) - min(others) <= 1
    for name, found in chosen.items():
        assert sorted(set(found)) == list(found)
        assert set(found) <= set(range(named[name]))
        if len(found) > 1:
            assert (found[0], found[-1]) == (0, named[name] - 1)
            gaps = np.diff(found)
            assert gaps.max() - gaps.min() <= 1


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
    root = shutil.copytree(rolls, tmp_path / "dataset")
    dataset = Dataset(root)
    shard = dataset.shards("train", dataset.manifest.formats[0])[1]
    row = dataset.index(shard).table.to_pylist()[2]
    with open(root / shard, "r+b") as file:
        file.seek(row["notes_offset"])
        file.write(b"\xff")
    read = list(read_split(dataset, "train", features=("notes",), whole=()))
    damaged = [each for _, each in read if isinstance(each, DamagedDataError)]
    assert len(read) == dataset.manifest.splits["train"].windows
    assert len(damaged) == 1
    assert f"{shard}: window of {row['recording_id']} at frame" in str(damaged[0])
