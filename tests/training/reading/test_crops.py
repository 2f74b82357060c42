"""Crops: the same frames of every feature, wherever in the window, and the same again."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.reading import (
    FEATURES,
    all_rows,
    assert_examples,
    example_of,
    name_of,
    names,
    stored_windows,
)
from training import Reader, open_dataset

WINDOW_FRAMES = ALL_FEATURES.window_frames


@pytest.fixture(scope="module")
def windows(root: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The stored windows by recording and number."""
    return {
        (window["recording_id"], window["first_frame"] // WINDOW_FRAMES): window
        for window in stored_windows(root)
    }


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, WINDOW_FRAMES - 1),
    per_window=st.integers(1, 4),
    seed=st.integers(0, 100),
    epoch=st.integers(0, 2**40),
    features=st.lists(st.sampled_from(FEATURES), min_size=1, unique=True),
    file_format=st.sampled_from(["tfrecord", "hdf5"]),
)
def test_crops_are_the_same_frames_of_every_feature(
    root: Path,
    windows: dict[tuple[str, int], dict[str, Any]],
    frames: int,
    per_window: int,
    seed: int,
    epoch: int,
    features: list[str],
    file_format: str,
) -> None:
    reader = open_dataset(
        root,
        features=features,
        batch_size=7,
        seed=seed,
        crop_frames=frames,
        crops_per_window=per_window,
        file_format=file_format,
    )
    found = all_rows(reader.epoch(epoch))
    counts: Counter[tuple[str, int]] = Counter()
    for row in found:
        recording_id, first_frame = name_of(row)
        number, start = divmod(first_frame, WINDOW_FRAMES)
        window = windows[recording_id, number]
        counts[recording_id, number] += 1
        expected = example_of(window, start, frames)
        dropped = set(FEATURES) - set(features)
        assert_examples(
            [row], [{name: each for name, each in expected.items() if name not in dropped}]
        )
        assert row["valid_frames"] == min(frames, window["valid_frames"])
        assert row["valid_frames"] == frames or start == 0
    assert counts == dict.fromkeys(windows, per_window)


def starts(reader: Reader, epochs: range) -> list[list[tuple[str, int]]]:
    return [names(reader.epoch(epoch)) for epoch in epochs]


def test_where_crops_begin_is_a_function_of_seed_epoch_window_and_number(
    root: Path, half_root: Path
) -> None:
    options: Any = {"crop_frames": 4, "crops_per_window": 2}
    crops = starts(open_dataset(root, **options), range(4))
    for same in ({"file_format": "hdf5"}, {"batch_size": 3}, {"features": ("onsets",)}):
        assert starts(open_dataset(root, **options, **same), range(4)) == crops
    assert len({tuple(sorted(epoch)) for epoch in crops}) == 4
    other_seed = starts(open_dataset(root, **options, seed=1), range(4))
    other_data = starts(open_dataset(half_root, **options), range(4))
    for one, two, three in zip(crops, other_seed, other_data, strict=True):
        assert len({tuple(sorted(each)) for each in (one, two, three)}) == 3
    of_numbers = crops[0][::2], crops[0][1::2]
    assert of_numbers[0] != of_numbers[1]
    assert [name for name, _ in of_numbers[0]] == [name for name, _ in of_numbers[1]]


def test_crops_begin_anywhere_equally_often(root: Path) -> None:
    """In a whole window, a crop of 4 of its 12 frames has nine beginnings."""
    reader = open_dataset(root, crop_frames=4, crops_per_window=8)
    counts = np.zeros(9)
    for epoch in range(12):
        for recording_id, first_frame in names(reader.epoch(epoch)):
            if recording_id == "train-0":
                counts[first_frame % WINDOW_FRAMES] += 1
    expected = 5 * 8 * 12 / 9
    assert counts.sum() == 5 * 8 * 12
    assert ((counts - expected) ** 2 / expected).sum() < 26.1  # one in a thousand, of chi-squared


def test_crops_of_overlapping_windows(tmp_path: Path) -> None:
    config = dataclasses.replace(ALL_FEATURES, stride_frames=5)
    make_dataset(tmp_path, config=config, frames=FEW_FRAMES)
    whole = {name_of(window): window for window in stored_windows(tmp_path)}
    reader = open_dataset(tmp_path, features=FEATURES, crop_frames=3, crops_per_window=2)
    order = reader.epoch_positions(1, 0, len(reader))
    ordered = list(whole.values())
    for row, position in zip(all_rows(reader.epoch(1)), order, strict=True):
        window = ordered[position]
        start = int(row["first_frame"] - window["first_frame"])
        assert 0 <= start <= max(0, window["valid_frames"] - 3)
        assert_examples([row], [example_of(window, start, 3)])


def test_a_crop_of_all_frames_is_the_window(root: Path) -> None:
    reader = open_dataset(root, features=FEATURES, crop_frames=WINDOW_FRAMES)
    expected = [example_of(window) for window in stored_windows(root)]
    assert_examples(all_rows(reader.in_order()), expected)


@pytest.mark.parametrize("crop_frames", [None, 12, 5])
def test_half_precision_on_disk_is_single_in_a_batch(half_root: Path, crop_frames: int) -> None:
    windows = stored_windows(half_root)
    assert windows[0]["log_mel"].dtype == np.float16
    for file_format in ("tfrecord", "hdf5"):
        reader = open_dataset(
            half_root, features=FEATURES, crop_frames=crop_frames, file_format=file_format
        )
        for row, window in zip(all_rows(reader.in_order()), windows, strict=True):
            start = int(row["first_frame"] - window["first_frame"])
            assert_examples([row], [example_of(window, start, crop_frames)])
            assert row["log_mel"].dtype == np.float32
