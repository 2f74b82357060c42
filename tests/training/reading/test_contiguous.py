"""Contiguous order: each row goes on where the same row of the batch before ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dataset_factory import ALL_FEATURES, FEW_FRAMES, make_dataset
from tests.support.reading import (
    FEATURES,
    assert_batches,
    assert_examples,
    example_of,
    flipped,
    name_of,
    names,
    payload_bytes,
    rows,
    stored_windows,
    take,
)
from training import Reader, open_dataset

WINDOW_FRAMES = ALL_FEATURES.window_frames
REJECTED = [("train-0", 1), ("train-0", 2), ("train-1", 0), ("train-5", 2)]


@pytest.fixture(scope="module")
def gaps_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some windows were rejected: in the middle, first, and last."""
    path = tmp_path_factory.mktemp("gaps") / "dataset"
    return make_dataset(path, config=ALL_FEATURES, frames=FEW_FRAMES, rejected=REJECTED)


@pytest.fixture(scope="module", params=["root", "gaps_root"])
def any_root(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def lanes(batches: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of the same number of all batches."""
    found: list[list[dict[str, Any]]] = [[] for _ in rows(batches[0])]
    for batch in batches:
        for lane, row in zip(found, rows(batch), strict=False):
            lane.append(row)
    return found


def follows(row: dict[str, Any], before: dict[str, Any]) -> bool:
    recording_id, first_frame = name_of(before)
    return name_of(row) == (recording_id, first_frame + len(before["weights"]))


@settings(max_examples=40, deadline=None)
@given(
    batch_size=st.integers(1, 60),
    crop_frames=st.sampled_from([1, 2, 3, 4, 6, 12]),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 2**40),
    file_format=st.sampled_from(["tfrecord", "hdf5"]),
)
def test_rows_go_on_through_whole_recordings(
    any_root: Path, batch_size: int, crop_frames: int, seed: int, epoch: int, file_format: str
) -> None:
    reader = open_dataset(
        any_root,
        features=FEATURES,
        batch_size=batch_size,
        seed=seed,
        order="contiguous",
        crop_frames=crop_frames,
        file_format=file_format,
    )
    batches = list(reader.epoch(epoch))
    sizes = [len(batch["begins"]) for batch in batches]
    assert sizes[:-1] == [min(batch_size, len(reader))] * (len(sizes) - 1)
    assert len(batches) == reader.batches_per_epoch
    sequence: list[dict[str, Any]] = []
    for lane in lanes(batches):
        for number, row in enumerate(lane):
            assert row["begins"] == (number == 0 or not follows(row, lane[number - 1]))
        sequence += lane
    # Lane after lane, the recordings come one after the other, each in time and by itself.
    found = [name_of(row) for row in sequence]
    recordings = list(dict.fromkeys(recording_id for recording_id, _ in found))
    assert found == sorted(found, key=lambda name: (recordings.index(name[0]), name[1]))
    expected = {}
    for window in stored_windows(any_root):
        for start in range(0, WINDOW_FRAMES, crop_frames):
            example = example_of(window, start, crop_frames)
            expected[name_of(example)] = example
    assert sorted(found) == sorted(expected)
    for row in sequence:
        del row["begins"]
    assert_examples(sequence, [expected[name] for name in found])


def test_recordings_come_in_another_order_in_each_epoch(root: Path) -> None:
    reader = open_dataset(root, batch_size=1, order="contiguous")
    orders = [
        tuple(dict.fromkeys(name for name, _ in names(reader.epoch(epoch)))) for epoch in range(40)
    ]
    assert len(set(orders)) > 30
    for number in range(6):
        assert {order[number] for order in orders} == {f"train-{each}" for each in range(6)}
    other = open_dataset(root, batch_size=1, order="contiguous", seed=1)
    assert names(other.epoch(0)) != names(reader.epoch(0))


def test_every_epoch_begins_anew(root: Path) -> None:
    reader = open_dataset(root, batch_size=3, order="contiguous")
    batches = take(iter(reader), 3 * reader.batches_per_epoch)
    for number in range(3):
        assert batches[number * reader.batches_per_epoch]["begins"].all()
    assert not all(batch["begins"].all() for batch in batches)


def spoiled(root: Path, position: int) -> Any:
    """While the block runs, the window at a position in file order is damaged."""
    path, (first, nbytes) = payload_bytes(root, "tfrecord", ["notes"])[position]
    return flipped(path, first + nbytes // 2)


def test_rows_go_on_again_once_a_window_can_be_read_again(root: Path) -> None:
    reader = open_dataset(root, features=FEATURES, batch_size=3, order="contiguous")
    sound = list(reader.epoch(0))
    for position in range(0, 16, 5):
        with spoiled(root, position):
            found = list(reader.epoch(0))
        assert sum(batch["begins"].sum() for batch in found) >= sum(
            batch["begins"].sum() for batch in sound
        )
        assert any(not batch["valid_frames"].all() for batch in found)
        assert_batches(list(reader.epoch(0)), sound)


@pytest.mark.parametrize("position", range(0, 16, 3))
@pytest.mark.parametrize("crop_frames", [12, 6])
def test_a_damaged_window_leaves_its_rows_and_the_next_one_begins(
    root: Path, position: int, crop_frames: int
) -> None:
    def opened() -> Reader:
        return open_dataset(
            root, features=FEATURES, batch_size=3, order="contiguous", crop_frames=crop_frames
        )

    sound = take(iter(opened()), 2 * opened().batches_per_epoch)
    lost = stored_windows(root)[position]
    lost_names = {
        (lost["recording_id"], lost["first_frame"] + start)
        for start in range(0, WINDOW_FRAMES, crop_frames)
    }
    with spoiled(root, position):
        batches = iter(opened())
        found, states = [], [batches.get_state()]
        for _ in sound:
            found.append(next(batches))
            states.append(batches.get_state())
        resumed = []
        for state in states[:-1]:
            batches = iter(opened())
            batches.set_state(state)
            resumed.append(next(batches))
    assert_batches(resumed, found)
    before: dict[int, tuple[str, int]] = {}
    missing = 0
    for batch, other in zip(found, sound, strict=True):
        for number, (row, expected) in enumerate(zip(rows(batch), rows(other), strict=True)):
            name = name_of(expected)
            assert name_of(row) == name
            if name in lost_names:
                missing += 1
                assert row["valid_frames"] == 0
                assert not row["weights"].any()
                assert (row["log_mel"] == ALL_FEATURES.floor_db).all()
                assert not any(row[each].any() for each in ("waveform", "notes", "onsets"))
            else:
                expected["begins"] |= before.get(number) in lost_names
                assert_examples([row], [expected])
            before[number] = name
    assert missing == 2 * len(lost_names)


def test_whole_batches_are_unlike_shuffled_ones(root: Path) -> None:
    assert "begins" not in next(iter(open_dataset(root)))
    reader = open_dataset(root, order="contiguous")
    assert "begins" in next(iter(reader))
    assert "begins" not in reader[0]
    assert "begins" not in next(reader.in_order())
