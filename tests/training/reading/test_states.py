"""Resuming: a state is two integers, and whoever goes on from one delivers what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StoreError
from tests.support.reading import FEATURES, assert_batches, drain, failing_store, take
from training import Reader, TrainingError, open_dataset

ORDERS: Any = [
    {"order": "shuffled"},
    {"order": "contiguous"},
    {"order": "shuffled", "crop_frames": 5, "crops_per_window": 3},
    {"order": "contiguous", "crop_frames": 4},
]


@settings(max_examples=25, deadline=None)
@given(taken=st.integers(0, 30), batch_size=st.integers(1, 20), options=st.sampled_from(ORDERS))
def test_going_on_from_a_state_is_as_if_never_stopped(
    root: Path, taken: int, batch_size: int, options: dict[str, Any]
) -> None:
    reader = open_dataset(root, batch_size=batch_size, seed=3, **options)
    whole = take(iter(reader), taken + 5)
    batches = iter(reader)
    take(batches, taken)
    state = json.loads(json.dumps(batches.get_state()))
    resumed = iter(open_dataset(root, batch_size=batch_size, seed=3, **options))
    resumed.set_state(state)
    assert resumed.get_state() == state == batches.get_state()
    assert_batches(take(resumed, 5), whole[taken:])
    assert_batches(take(batches, 5), whole[taken:])


def test_a_state_counts_the_examples_that_were_handed_out(root: Path) -> None:
    batches = iter(open_dataset(root, batch_size=5))
    found = [batches.get_state()]
    for _ in range(5):
        next(batches)
        found.append(batches.get_state())
    assert [(state["epoch"], state["position"]) for state in found] == [
        (0, 0), (0, 5), (0, 10), (0, 15), (0, 16), (1, 5),
    ]  # fmt: skip


def test_the_batch_size_may_change_between_batches(root: Path) -> None:
    batches = iter(open_dataset(root, batch_size=6))
    next(batches)
    smaller = iter(open_dataset(root, batch_size=4))
    smaller.set_state(batches.get_state())
    found = take(smaller, 3)
    assert [len(batch["weights"]) for batch in found] == [4, 4, 2]
    assert_batches(found, take(resumed(root, 4, {"epoch": 0, "position": 6}), 3))
    assert list(found[0]["first_frame"]) == list(next(batches)["first_frame"][:4])


def resumed(root: Path, batch_size: int, state: dict[str, int]) -> Iterator[dict[str, Any]]:
    batches = iter(open_dataset(root, batch_size=batch_size))
    batches.set_state(state)
    return batches


def test_set_state_forgets_what_was_read_ahead(root: Path) -> None:
    batches = iter(open_dataset(root, batch_size=4))
    first = take(batches, 2)
    batches.set_state({"epoch": 0, "position": 0})
    assert_batches(take(batches, 2), first)


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.uint64])
def test_numbers_may_be_numpys_and_states_are_pythons(root: Path, kind: type) -> None:
    reader = open_dataset(root, batch_size=kind(4), seed=kind(1))
    plain = open_dataset(root, batch_size=4, seed=1)
    batches, expected = iter(reader), iter(plain)
    batches.set_state({"epoch": kind(1), "position": kind(8)})
    expected.set_state({"epoch": 1, "position": 8})
    assert_batches(take(batches, 3), take(expected, 3))
    assert all(type(number) is int for number in batches.get_state().values())
    assert batches.get_state() == expected.get_state()
    assert_batches(list(reader.epoch(kind(2))), list(plain.epoch(2)))
    numbers = reader.epoch_positions(kind(1), kind(0), kind(4))
    assert numbers.tolist() == plain.epoch_positions(1, 0, 4).tolist()


@pytest.mark.parametrize(
    "state",
    [
        {"epoch": 0},
        {"epoch": 0, "position": 0, "step": 1},
        {"epoch": -1, "position": 0},
        {"epoch": 0, "position": 17},
        {"epoch": 0.0, "position": 0},
        {"epoch": 0, "position": None},
        {"epoch": 0, "position": True},
        {"epoch": 2**70, "position": 0},
        {},
        None,
        3,
        "epoch",
        [("epoch", 0), ("position", 0)],
    ],
)
def test_a_wrong_state_is_rejected_and_changes_nothing(root: Path, state: Any) -> None:
    batches = iter(open_dataset(root, batch_size=4))
    next(batches)
    with pytest.raises(TrainingError, match="is not a state of a reader of 16 examples: it needs"):
        batches.set_state(state)
    assert batches.get_state() == {"epoch": 0, "position": 4}


def test_an_epoch_has_no_states_of_others(root: Path) -> None:
    epoch = open_dataset(root, batch_size=4).epoch(2)
    epoch.set_state({"epoch": 2, "position": 12})
    assert len(list(epoch)) == 1
    with pytest.raises(TrainingError, match="it needs epoch 2 and a position from 0 to 16"):
        epoch.set_state({"epoch": 3, "position": 0})


def test_rows_go_on_from_whole_batches_alone(root: Path) -> None:
    batches = iter(open_dataset(root, batch_size=4, order="contiguous"))
    batches.set_state({"epoch": 0, "position": 8})
    with pytest.raises(TrainingError, match="0 to 16 that is a multiple of 4"):
        batches.set_state({"epoch": 0, "position": 6})


@pytest.mark.parametrize("options", ORDERS)
@pytest.mark.parametrize("batch_size", [2, 5])
def test_after_a_failure_of_a_store_the_same_batch_comes(
    root: Path, options: dict[str, Any], batch_size: int
) -> None:
    reader: Reader = open_dataset(root, features=FEATURES, batch_size=batch_size, **options)
    expected = take(iter(reader), 9)
    batches = iter(reader)
    found = take(batches, 2)
    with failing_store():
        with pytest.raises(StoreError, match="does not answer"):
            drain(batches, found)
        state = batches.get_state()
        assert len(found) < 9
        with pytest.raises(StoreError, match="does not answer"):
            next(batches)
        assert batches.get_state() == state
    found += take(batches, 9 - len(found))
    assert_batches(found, expected)
    assert reader.damaged_count == 0
