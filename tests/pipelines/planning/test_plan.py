import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import PipelineError
from schemas.shards import SPLITS
from tests.support.plans import CONFIG, inspected, plan_of

lengths = st.lists(
    st.tuples(st.integers(1, 30_000), st.sampled_from(["train", "train", "test"])),
    min_size=1,
    max_size=20,
)


@given(lengths=lengths, seed=st.integers(0, 99), windows_a_shard=st.integers(1, 40))
def test_each_window_stands_in_one_place(
    lengths: list[tuple[int, str]], seed: int, windows_a_shard: int
) -> None:
    found = [inspected(number, *each) for number, each in enumerate(lengths)]
    plan = plan_of(found, seed=seed, shard_megabytes=windows_a_shard * CONFIG.window_bytes / 1e6)
    rows = plan.recordings.to_pylist()
    for split in SPLITS:
        placed = [
            window
            for number in range(plan.shards[split])
            for window in plan.shard_windows(split, number)
        ]
        expected = [
            (row, 10 * window, min(10, rows[row]["frames"] - 10 * window))
            for row in range(len(rows))
            if rows[row]["split"] == split
            for window in range(rows[row]["windows"])
        ]
        assert sorted(map(dataclasses.astuple, placed)) == expected
        assert len(placed) == plan.windows[split]
        sizes = [len(plan.shard_windows(split, number)) for number in range(plan.shards[split])]
        assert all(0 < size <= windows_a_shard for size in sizes)
        for number in range(plan.shards[split]):
            for window in plan.shard_windows(split, number):
                assert plan.place(window.recording, window.first_frame) == (split, number)


def test_the_order_does_not_depend_on_the_size_of_shards() -> None:
    found = [inspected(number, 20_000) for number in range(9)]

    def order(shard_megabytes: float) -> list[Any]:
        plan = plan_of(found, shard_megabytes=shard_megabytes)
        return [
            window
            for number in range(plan.shards["train"])
            for window in plan.shard_windows("train", number)
        ]

    assert order(CONFIG.window_bytes / 1e6) == order(1e3)


def test_the_order_of_arrival_means_nothing() -> None:
    found = [inspected(number, 7_000 + number) for number in range(9)]
    assert plan_of(found).digest == plan_of(found[::-1]).digest


def test_the_digest_changes_with_configuration_inputs_and_seed() -> None:
    found = [inspected(number, 20_000) for number in range(4)]
    other = dataclasses.replace(CONFIG, amin=1e-9)
    plans = [
        plan_of(found),
        plan_of(found, seed=1),
        plan_of(found[1:]),
        plan_of(found, other),
        plan_of(found, shard_megabytes=1e3),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)


def test_dropped_samples_are_counted() -> None:
    config = dataclasses.replace(CONFIG, tail="drop")
    samples = 2_345
    each = inspected(0, samples)
    row = {**each.row, "windows": config.window_count(each.row["frames"])}
    plan = plan_of([dataclasses.replace(each, row=row)], config)
    assert plan.windows["train"] == 2
    assert plan.recordings["dropped_samples"].to_pylist() == [samples - 2_000]


@pytest.mark.parametrize(("bad", "total", "fails"), [(3, 5, False), (4, 5, True), (2, 2, True)])
def test_too_many_rejects_are_named(bad: int, total: int, fails: bool) -> None:
    found = [inspected(number, 5_000, ok=number >= bad) for number in range(total)]
    if not fails:
        assert plan_of(found).windows["train"] + plan_of(found).windows["validation"] > 0
        return
    with pytest.raises(PipelineError, match=f"{bad} of {total} recordings.*\n.*0000: bad"):
        plan_of(found)


def test_where_nothing_is_left_the_message_says_so() -> None:
    """Three recordings may always be rejected, but not if they are all."""
    with pytest.raises(PipelineError) as caught:
        plan_of([inspected(number, 5_000, ok=False) for number in range(3)])
    first, *_, last = str(caught.value).splitlines()
    assert first == "3 of 3 recordings cannot be used, nothing is left:"
    assert last == "repair or replace them"


def test_nothing_left_is_an_error() -> None:
    config = dataclasses.replace(CONFIG, tail="drop")
    each = inspected(0, 50)
    with pytest.raises(PipelineError, match="no recording fills a window of 10 frames"):
        plan_of([dataclasses.replace(each, row={**each.row, "windows": 0})], config)
