import re
import time
from pathlib import Path

import pytest

from pipelines.build_folder import CLAIM_FILE
from pipelines.engine.local import LocalRun
from pipelines.engine.progress import expected_windows, finished_shards, run_progress
from pipelines.run_state import claim_plan
from schemas import Storage
from schemas.shards import index_file

FIRST = ("train/00000-of-00002.tfrecord", "train/00000-of-00002.h5")
SECOND = ("train/00001-of-00002.tfrecord", "train/00001-of-00002.h5")
TEST = ("test/00000-of-00001.tfrecord", "test/00000-of-00001.h5")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An unfinished run in both formats, which has written nothing yet."""
    storage = Storage(tmp_path)
    shards, windows = {"train": 2, "validation": 0, "test": 1}, {"train": 5, "test": 3}
    claim = {
        "formats": ["tfrecord", "hdf5"],
        "shards": shards,
        "windows": {"validation": 0, **windows},
    }
    claim_plan(storage, claim)
    return storage


def finish(storage: Storage, *names: str) -> None:
    for name in names:
        storage.write_bytes(index_file(name), b"")


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_a_shard_is_finished_in_every_format_or_not_at_all(storage: Storage) -> None:
    expected = expected_windows(storage)
    assert expected == {FIRST: 2, SECOND: 3, TEST: 3}
    finish(storage, FIRST[0], SECOND[1], *TEST)
    assert finished_shards(storage, expected) == [TEST]
    finish(storage, FIRST[1])
    assert finished_shards(storage, expected) == [FIRST, TEST]


def test_shards_of_an_earlier_run_are_done_but_not_part_of_the_rate(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(storage, *FIRST, *TEST, SECOND[0])
    with run_progress(storage.root):
        pass
    line = last_line(capsys)
    assert re.fullmatch(r"writing shards:  62% 5/8 \[.*<\?, \? windows/s\]", line), "no rate yet"


def test_shards_of_this_run_are_counted(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(storage, *FIRST)
    with run_progress(storage.root):
        finish(storage, *SECOND, *TEST)
    line = last_line(capsys)
    assert line.startswith("writing shards: 100% 8/8 [")
    assert re.search(r"[\d.]+ windows/s\]", line)


def test_recordings_are_counted_until_all_are_inspected(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan of an earlier run is there from the beginning."""
    run = LocalRun("name", None)
    with run_progress(storage.root, run):
        finish(storage, *FIRST)
        time.sleep(0.7)  # It has looked once before anything is listed.
        run.listed = 7
        time.sleep(0.7)
        for _ in range(3):
            run.count_inspected()
    assert last_line(capsys).startswith("inspecting:  43% 3/7 [")
    with run_progress(storage.root, run):
        run.inspected = 7
        finish(storage, *SECOND)
    assert last_line(capsys).startswith("writing shards:  62% 5/8 [")


@pytest.mark.parametrize(
    "claim",
    [
        b"[]",
        b"{}",
        b'{"shards": 1, "windows": 2, "formats": []}',
        b'{"formats": ["zarr"], "shards": {"train": 1}, "windows": {"train": 1}}',
    ],
)
def test_a_plan_that_was_edited_is_left_for_the_run_to_reject(claim: bytes, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write_bytes(CLAIM_FILE, claim)
    with run_progress(storage.root):
        assert expected_windows(storage) is None
