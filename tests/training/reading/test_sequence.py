"""A reader as a sequence of examples, in the order of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.oddities import NEGATIVE, ODDITIES, assert_one_short_line, name_of_oddity
from tests.support.reading import (
    FEATURES,
    all_rows,
    assert_examples,
    example_of,
    name_of,
    rows,
    stored_windows,
)
from training import Reader, TrainingError, open_dataset

WINDOWS = 16


@pytest.fixture(scope="module")
def reader(root: Path) -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=5)


@pytest.fixture(scope="module")
def windows(root: Path) -> list[dict[str, Any]]:
    """What the reader must deliver."""
    return [example_of(window) for window in stored_windows(root)]


@pytest.mark.parametrize("kind", [int, np.int64, np.int8])
def test_an_integer_gives_an_example(
    reader: Reader, windows: list[dict[str, Any]], kind: type
) -> None:
    assert len(reader) == len(windows) == WINDOWS
    found = [reader[kind(position)] for position in range(-WINDOWS, WINDOWS)]
    assert_examples(found, [*windows, *windows])
    for example in found:
        assert [type(example[name]) for name in ("recording_id", "first_frame", "valid_frames")] \
            == [str, int, int]  # fmt: skip
    assert_examples([reader[np.array(3)]], [windows[3]])


bounds = st.one_of(st.none(), st.integers(-20, 20))
steps = st.one_of(st.none(), st.integers(-20, -1), st.integers(1, 20))


@settings(max_examples=60, deadline=None)
@given(start=bounds, stop=bounds, step=steps)
def test_a_slice_gives_what_it_gives_of_a_list(
    reader: Reader, windows: list[dict[str, Any]], start: int, stop: int, step: int
) -> None:
    assert_examples(rows(reader[start:stop:step]), windows[start:stop:step])


@settings(max_examples=60, deadline=None)
@given(
    positions=st.lists(st.integers(-WINDOWS, WINDOWS - 1), max_size=40),
    kind=st.sampled_from([list, tuple, lambda each: np.array(each, np.int32)]),
)
def test_positions_may_come_in_any_order_and_twice(
    reader: Reader, windows: list[dict[str, Any]], positions: list[int], kind: Any
) -> None:
    expected = [windows[position] for position in positions]
    assert_examples(rows(reader[kind(positions)]), expected)
    assert_examples(reader.__getitems__(kind(positions)), expected)


@pytest.mark.parametrize("empty", [[], (), np.array([], np.int64), slice(5, 5), slice(3, 0)])
def test_no_positions_give_a_batch_of_none(reader: Reader, empty: Any) -> None:
    batch, some = reader[empty], reader[:1]
    assert batch.keys() == some.keys()
    for name, values in batch.items():
        assert values.shape == (0, *some[name].shape[1:])
        assert values.dtype.kind == some[name].dtype.kind


@pytest.mark.parametrize("position", [WINDOWS, -WINDOWS - 1, 2**70, np.int64(WINDOWS)])
@pytest.mark.parametrize("among", [lambda each: each, lambda each: [0, each]])
def test_a_position_outside_is_an_index_error(reader: Reader, position: int, among: Any) -> None:
    message = f"split 'train' has positions 0 to {WINDOWS - 1}, or -{WINDOWS} to -1 from the end"
    with pytest.raises(IndexError, match=message):
        reader[among(position)]


@pytest.mark.parametrize(
    "key",
    [1.0, "0", None, True, {}, [True, False], [0.0], ["log_mel"], [None], [[1], [2, 3]], ((0, 1),),
     np.array([True] * WINDOWS), np.array([1.0]), np.array([[0, 1]])],
)  # fmt: skip
def test_what_is_no_position_is_rejected(reader: Reader, key: Any) -> None:
    with pytest.raises(IndexError, match=r"^position .*: it must be an integer$"):
        reader[key]


@pytest.mark.parametrize(
    "value", [each for each in ODDITIES if each is not NEGATIVE], ids=name_of_oddity
)
def test_anything_else_is_rejected_on_one_short_line(reader: Reader, value: Any) -> None:
    keys: list[Any] = [[value], (0, value)]
    if not isinstance(value, int):
        keys += [slice(value, None), slice(None, value), slice(0, 5, value)]
    for key in keys:
        with pytest.raises(IndexError) as raised:
            reader[key]
        assert_one_short_line(raised.value)


def test_a_step_of_0_is_an_index_error(reader: Reader) -> None:
    with pytest.raises(IndexError, match=r"^position slice\(0, 5, 0\): .* its step not 0$"):
        reader[0:5:0]


@pytest.mark.parametrize("value", [None, 3, "train-0", {}])
def test_in_is_an_error_not_an_endless_search(reader: Reader, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^a reader does not compare .* find\(recording_id\)"):
        assert value in reader


def test_reversed_gives_examples_from_the_last(
    reader: Reader, windows: list[dict[str, Any]]
) -> None:
    assert_examples(list(reversed(reader)), windows[::-1])


@pytest.mark.parametrize(
    "value", [each for each in ODDITIES if not isinstance(each, str)], ids=name_of_oddity
)
def test_only_a_text_can_be_an_id(reader: Reader, value: Any) -> None:
    with pytest.raises(TrainingError) as raised:
        reader.find(value)
    assert_one_short_line(raised.value)


def test_get_gives_examples_and_knows_positions(
    reader: Reader, windows: list[dict[str, Any]]
) -> None:
    found = reader.get(-1)
    assert found is not None
    assert_examples([found], windows[-1:])
    with pytest.raises(IndexError, match="position 99"):
        reader.get(99)


def test_examples_are_memory_of_their_own(root: Path, windows: list[dict[str, Any]]) -> None:
    reader = open_dataset(root, features=FEATURES)
    reader[0]["log_mel"][:] = 7
    batch = reader[[0, 0]]
    batch["notes"][0] = 7
    assert_examples([rows(batch)[1], reader[0]], [windows[0], windows[0]])


@pytest.mark.parametrize(
    ("options", "per_window"),
    [
        ({}, 1),
        ({"crop_frames": 5}, 1),
        ({"crop_frames": 5, "crops_per_window": 3}, 3),
        ({"order": "contiguous"}, 1),
        ({"order": "contiguous", "crop_frames": 4}, 3),
    ],
)
def test_positions_in_order_and_the_first_epoch_are_the_same_examples(
    root: Path, options: Any, per_window: int
) -> None:
    reader = open_dataset(root, features=FEATURES, batch_size=5, **options)
    ordered = all_rows(reader.in_order())
    assert len(ordered) == len(reader) == WINDOWS * per_window
    assert_examples([reader[position] for position in range(len(reader))], ordered)
    epoch = all_rows(reader.epoch(0))
    assert sorted(map(name_of, ordered)) == sorted(map(name_of, epoch))


def test_a_recording_is_found_by_its_id(root: Path) -> None:
    for options in ({}, {"crop_frames": 4, "order": "contiguous"}):
        reader = open_dataset(root, **options)  # type: ignore[arg-type]
        assert set(reader.recording_ids) == {f"train-{number}" for number in range(6)}
        for recording_id in reader.recording_ids:
            position = reader.find(recording_id)
            assert position is not None
            assert name_of(reader[position]) == (recording_id, 0)
        assert reader.find("test-1") is None
