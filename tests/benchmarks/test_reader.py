import importlib.util
from pathlib import Path

import pytest

from benchmarks.measure import Target
from benchmarks.reader import HEADER, cells, cold_runs, targets
from benchmarks.reading.contenders import (
    CONTENDERS,
    GRAIN_ARRAYS,
    LIMIT,
    OURS,
    OURS_TF_DATA,
    TF_DATA,
)
from benchmarks.reading.rounds import Figures


def figures(warm: float, megabytes: float = 10) -> Figures:
    return Figures(
        setting=(),
        warm=warm,
        cold=1,
        cpu_seconds_per_gb=1,
        bytes_over_idle=megabytes * 1e6,
        first_batch_seconds=None,
        state_bytes=28,
        resume_seconds=0.5,
        dropped_by="a switch",
        cached_share=warm / 1e5,
    )


MEASURED = {
    OURS: figures(6_000),
    OURS_TF_DATA: figures(4_500),
    TF_DATA: figures(1_500, megabytes=50),
    GRAIN_ARRAYS: figures(2_000),
    LIMIT: figures(8_000),
}


def test_each_target_compares_the_right_contenders() -> None:
    compared = {target.text: target.figure for target in targets("log_mel", MEASURED)}
    assert compared == {
        "reading log_mel, to tf.data": 4,
        "reading log_mel, to Grain": 3,
        "reading log_mel, to the limit": 0.75,
        "reading log_mel, as tf.data to as arrays": 0.75,
        "reading log_mel, memory to tf.data's": 0.2,
    }


def test_the_targets_depend_on_the_features() -> None:
    alone, every = (targets(shown, MEASURED)[0] for shown in ("log_mel", "all features"))
    assert (alone.met, every.met) == (False, True)


def test_a_peer_that_is_absent_misses_its_target() -> None:
    present = {name: each for name, each in MEASURED.items() if name != GRAIN_ARRAYS}
    (missed,) = [target for target in targets("all features", present) if not target.met]
    assert str(missed) == "MISSED: reading all features, to Grain: not measured (at least 2)"


@pytest.mark.parametrize("at_most", [False, True])
def test_what_was_not_measured_is_missed(at_most: bool) -> None:
    assert not Target("", None, 1, at_most=at_most).met


def test_the_worst_of_the_cold_runs_is_named() -> None:
    expected = "cold is one epoch after a switch left 8.0% of its files in the page cache"
    assert cold_runs(MEASURED) == expected


def test_the_columns_have_headers() -> None:
    assert {len(row) for row in HEADER} == {1 + len(cells(figures(1)))}
    assert cells(figures(1234.4)) == ["1,234", "1", "1.00", "10", "", "28", "0.50"]


@pytest.mark.parametrize("name", CONTENDERS)
def test_contenders_read_what_is_there(name: str, tiny_dataset: Path) -> None:
    contender = CONTENDERS[name]
    assert importlib.util.find_spec(f"benchmarks.reading.{contender.module}")
    if not contender.copies:
        assert len(contender.files(tiny_dataset)) > 1
