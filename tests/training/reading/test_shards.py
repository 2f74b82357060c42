"""The readers of processes that train together: at each step, their rows are one batch."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dataset_factory import ALL_FEATURES
from tests.support.oddities import ODDITIES, assert_one_short_line, name_of_oddity
from tests.support.reading import (
    FEATURES,
    assert_batches,
    assert_examples,
    flipped,
    name_of,
    payload_bytes,
    rows,
    take,
)
from training import Reader, TrainingError, open_dataset

WINDOW_FRAMES = ALL_FEATURES.window_frames
ORDERS: Any = [
    {},
    {"crop_frames": 5, "crops_per_window": 2},
    {"order": "contiguous"},
    {"order": "contiguous", "crop_frames": 4},
]


def assert_padding(row: dict[str, Any]) -> None:
    """A row in place of no window."""
    assert row["valid_frames"] == 0
    assert not row["weights"].any()
    assert (row["log_mel"] == np.float32(ALL_FEATURES.floor_db)).all()
    assert not any(row[name].any() for name in ("waveform", "notes", "onsets"))


def assert_steps(whole: list[dict[str, Any]], parts: list[list[dict[str, Any]]]) -> None:
    """Row k of each of the whole reader's batches is a row of part k modulo their number."""
    count = len(parts)
    for step, batch in enumerate(whole):
        expected = rows(batch)
        for index, part in enumerate(parts):
            found, mine = rows(part[step]), expected[index::count]
            assert found
            assert_examples(found[: len(mine)], mine)
            assert len(found) == max(1, len(mine))
            if not mine:
                assert_padding(found[0])
                assert (found[0]["recording_id"], found[0]["first_frame"]) == ("", 0)
                assert found[0].get("begins", True)


def opened(root: Path, batch_size: int, options: dict[str, Any]) -> Reader:
    return open_dataset(root, features=FEATURES, batch_size=batch_size, **options)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), options=st.sampled_from(ORDERS), batch_size=st.integers(1, 20))
def test_shards_are_together_the_whole_and_their_number_may_change(
    root: Path, data: st.DataObject, options: dict[str, Any], batch_size: int
) -> None:
    whole = opened(root, batch_size, options)
    expected = iter(whole)
    state = expected.get_state()
    for _ in range(3):
        count = data.draw(st.integers(1, batch_size))
        parts = [iter(whole.shard(index, count)) for index in range(count)]
        for part in parts:
            part.set_state(state)
        steps = data.draw(st.integers(1, 6))
        assert_steps(take(expected, steps), [take(part, steps) for part in parts])
        state = expected.get_state()
        assert all(part.get_state() == state for part in parts)


@pytest.mark.parametrize("options", ORDERS)
@pytest.mark.parametrize(("batch_size", "count"), [(3, 2), (5, 5), (7, 4), (100, 50)])
def test_epochs_and_files_in_order_are_shared_too(
    root: Path, options: dict[str, Any], batch_size: int, count: int
) -> None:
    whole = opened(root, batch_size, options)
    parts = [whole.shard(index, count) for index in range(count)]
    assert_steps(list(whole.epoch(2)), [list(part.epoch(2)) for part in parts])
    assert_steps(list(whole.in_order()), [list(part.in_order()) for part in parts])
    assert {part.batches_per_epoch for part in parts} == {whole.batches_per_epoch}


def test_a_shard_as_a_sequence_is_the_whole_split(root: Path) -> None:
    whole = opened(root, 4, {})
    shard = whole.shard(1, 3)
    assert len(shard) == len(whole)
    assert_batches([shard[:]], [whole[:]])


def test_one_shard_is_the_whole(root: Path) -> None:
    whole = opened(root, 5, {})
    assert_batches(take(iter(whole.shard(0, 1)), 9), take(iter(whole), 9))


@pytest.mark.parametrize("options", ORDERS)
@pytest.mark.parametrize("count", [2, 3])
def test_every_shard_has_a_batch_at_each_step_in_spite_of_damage(
    root: Path, options: dict[str, Any], count: int
) -> None:
    """Half of the windows are damaged, so that there are steps without any other row."""
    whole = opened(root, 3, options)
    steps = 2 * whole.batches_per_epoch
    sound = take(iter(whole), steps)
    lost = {window_of(row) for row in rows(whole[: len(whole) // 2])}
    with contextlib.ExitStack() as damage:
        for path, (first, _) in payload_bytes(root, "tfrecord", ["onsets"])[:8]:
            damage.enter_context(flipped(path, first))
        shards = [whole.shard(index, count) for index in range(count)]
        parts = [iter(shard) for shard in shards]
        found = [take(part, steps) for part in parts]
    assert whole.damaged_count == 0
    assert all(0 < shard.damaged_count <= 8 for shard in shards)
    for step, batch in enumerate(sound):
        every = [row for part in found for row in rows(part[step])]
        assert all(rows(part[step]) for part in found)
        expected = [
            row
            for index in range(count)
            for row in rows(batch)[index::count]
            if row["valid_frames"] and window_of(row) not in lost
        ]
        delivered = [row for row in every if row["valid_frames"]]
        for row in (*delivered, *expected):
            row.pop("begins", None)
        assert_examples(delivered, expected)
        for row in every:
            if not row["valid_frames"] and window_of(row) in lost:
                assert_padding(row)
    assert all(part.get_state() == parts[0].get_state() for part in parts)


def window_of(row: dict[str, Any]) -> tuple[str, int]:
    """A recording and the number of its window."""
    recording_id, first_frame = name_of(row)
    return recording_id, first_frame // WINDOW_FRAMES


@pytest.mark.parametrize(
    ("index", "count", "message"),
    [
        (0, 0, "count=0 must be an integer from 1 to 4"),
        (0, 5, "count=5 must be an integer from 1 to 4"),
        (2, 2, "index=2 must be an integer from 0 to 1"),
        (-1, 2, "index=-1 must be an integer from 0 to 1"),
        (0, 2.0, "count=2.0 must be an integer"),
        ("0", 2, "index='0' must be an integer"),
    ],
)
def test_no_such_shard(root: Path, index: Any, count: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        opened(root, 4, {}).shard(index, count)


def test_more_shards_than_examples_in_a_batch_need_a_larger_batch(root: Path) -> None:
    with pytest.raises(TrainingError) as raised:
        opened(root, 3, {}).shard(0, 5)
    assert str(raised.value) == (
        "count=5 must be an integer from 1 to 3, the batch_size; take fewer shards, or open the "
        "dataset with a larger batch_size"
    )


@pytest.mark.parametrize("value", ODDITIES, ids=name_of_oddity)
def test_anything_else_is_rejected_on_one_short_line(root: Path, value: Any) -> None:
    whole = opened(root, 4, {})
    for call in (
        lambda: whole.shard(value, 2),
        lambda: whole.shard(0, value),
        lambda: whole.epoch(value),
        lambda: whole.epoch_positions(0, 0, value),
    ):
        with pytest.raises(TrainingError) as raised:
            call()
        assert_one_short_line(raised.value)


def test_a_shard_has_no_shards(root: Path) -> None:
    index: Any = np.int64(1)
    shard = opened(root, 4, {}).shard(index, index + 1)
    with pytest.raises(TrainingError, match=r"shard 1 of 2> is a shard; take shards of the whole"):
        shard.shard(0, 2)
