import dataclasses
from pathlib import Path

import pytest

from pipelines.build_folder import PLAN_TABLE
from pipelines.errors import PipelineError
from pipelines.planning.plan_file import read_plan, write_plan, writers_plan
from schemas import Storage
from schemas.shards import SPLITS
from tests.support.plans import inspected, plan_of


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = plan_of([inspected(number, 20_000 + number, ok=number > 1) for number in range(9)])
    again = read_plan(Storage(tmp_path), write_plan(Storage(tmp_path), plan))
    assert again.recordings.equals(plan.recordings)
    names = ("config", "seed", "shards", "digest", "rejects", "windows")
    assert all(getattr(again, name) == getattr(plan, name) for name in names)


def test_a_writers_plan_has_the_windows_and_where_their_samples_are(tmp_path: Path) -> None:
    found = [inspected(number, 20_000 + number, ok=number > 1) for number in range(9)]
    plan = plan_of(found)
    again = writers_plan(str(tmp_path), write_plan(Storage(tmp_path), plan))
    for split in SPLITS:
        for number in range(plan.shards[split]):
            windows = again.shard_windows(split, number)
            assert windows == plan.shard_windows(split, number)
            for each in windows:
                assert again.header(each.recording) == found[each.recording].header


def test_a_process_reads_a_plan_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_plan(Storage(tmp_path), plan_of([inspected(0, 20_000)]))
    first = writers_plan(str(tmp_path), file)
    (tmp_path / PLAN_TABLE).unlink()
    assert writers_plan(str(tmp_path), file) is first
    other = write_plan(Storage(tmp_path), plan_of([inspected(1, 20_000)]))
    assert writers_plan(str(tmp_path), other).recording_ids == ["0001"]


def test_plans_that_differ_by_their_seed_alone_are_told_apart(tmp_path: Path) -> None:
    found = [inspected(number, 20_000) for number in range(9)]
    plans = [plan_of(found, seed=seed) for seed in (0, 1)]
    plans[1] = dataclasses.replace(plans[1], recordings=plans[0].recordings)
    files = [write_plan(Storage(tmp_path), plan) for plan in plans]
    assert files[0].sha256 == files[1].sha256
    read = [writers_plan(str(tmp_path), file) for file in files]
    assert [plan.seed for plan in read] == [0, 1]


def test_another_plan_in_its_place_is_refused(tmp_path: Path) -> None:
    file = write_plan(Storage(tmp_path), plan_of([inspected(0, 20_000)]))
    write_plan(Storage(tmp_path), plan_of([inspected(1, 20_000)]))
    with pytest.raises(PipelineError, match=r"_work/plan\.parquet: was changed during the run"):
        read_plan(Storage(tmp_path), file)
