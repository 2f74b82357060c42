"""The reader of shards in object stores: requests, failures, and what waits for what."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from schemas import PRESETS, StoreError
from schemas.storage.object_stores import MOST_REQUESTS
from tests.support.dataset_factory import make_dataset
from tests.support.object_stores import BREAK_OFF, HANG_UP, Store
from tests.support.processes import ROOT
from tests.support.reading import assert_batches
from training import open_dataset

pytestmark = pytest.mark.usefixtures("no_faults")

BATCH_SIZE = 16
FRAMES = {"train": (700, 1_400, 2_100, 2_800), "validation": (70,), "test": (70,)}
"""A hundred windows of 70 frames for training."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("stores") / "dataset", frames=FRAMES, shards=2)


@pytest.fixture(scope="module")
def url(store: Store, root: Path) -> str:
    return store.put(root, "reading")


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_the_first_batch_takes_no_more_than_twenty_requests(
    store: Store, url: str, file_format: str
) -> None:
    """The manifest, an index for each of two shards, and at most one for each of the windows."""
    before = len(store.proxy.requests)
    reader = open_dataset(url, batch_size=BATCH_SIZE, file_format=file_format)
    whole = reader[list(range(BATCH_SIZE))]
    assert len(whole["valid_frames"]) == BATCH_SIZE
    # These windows lie side by side.
    assert len(store.proxy.requests) - before <= 6
    before = len(store.proxy.requests)
    reader = open_dataset(url, batch_size=BATCH_SIZE, file_format=file_format)
    positions = reader.epoch_positions(0, 0, BATCH_SIZE)
    assert len(reader[positions]["valid_frames"]) == BATCH_SIZE
    assert len(store.proxy.requests) - before <= 20


def test_batches_are_those_of_the_disk(url: str, root: Path) -> None:
    for options in ({}, {"crop_frames": 30, "crops_per_window": 2}, {"order": "contiguous"}):
        for file_format in ("tfrecord", "hdf5"):
            ours = open_dataset(url, file_format=file_format, **options)
            theirs = open_dataset(root, **options)
            assert_batches(list(ours.epoch(1)), list(theirs.epoch(1)))


def test_many_reads_are_under_way_at_once(store: Store, url: str) -> None:
    """No window is answered before all threads ask for one; the caller may ask for another."""
    reader = open_dataset(url, batch_size=BATCH_SIZE)
    at_once = MOST_REQUESTS - 1
    together = threading.Barrier(at_once)
    waits = itertools.count()

    def wait_for_the_others(number: int, method: str, path: str) -> None:
        if next(waits) < at_once:
            together.wait(timeout=30)

    store.proxy.fault = wait_for_the_others
    assert len(next(iter(reader))["valid_frames"]) == BATCH_SIZE
    assert not together.broken


def test_a_small_budget_has_fewer_reads_under_way(url: str, root: Path) -> None:
    most = open_dataset(url, batch_size=BATCH_SIZE).memory_plan()
    tight = open_dataset(url, batch_size=BATCH_SIZE, memory_bytes=most.total - 1)
    assert tight.memory_plan().reads < most.reads
    assert_batches(list(tight.epoch(0)), list(open_dataset(root).epoch(0)))


@pytest.mark.parametrize("fault", [503, HANG_UP, BREAK_OFF])
def test_what_fails_for_a_moment_is_read_again(
    store: Store, url: str, root: Path, fault: int
) -> None:
    reader = open_dataset(url, batch_size=BATCH_SIZE)
    faults = store.proxy.faults
    store.proxy.fault = lambda number, method, path: fault if number % 7 == 0 else None
    assert_batches(list(reader.epoch(0)), list(open_dataset(root).epoch(0)))
    assert store.proxy.faults > faults + 5
    assert not reader.damaged_count


def test_after_a_failure_in_mid_epoch_it_goes_on(store: Store, url: str, root: Path) -> None:
    batches = open_dataset(url, batch_size=BATCH_SIZE).epoch(0)
    expected = list(open_dataset(root, batch_size=BATCH_SIZE).epoch(0))
    found = [next(batches) for _ in range(2)]
    store.proxy.fault = lambda number, method, path: 400
    for _ in range(2):
        with pytest.raises(StoreError, match="did not answer as it should"):
            found.extend(batches)  # What was read ahead is still delivered.
        assert batches.get_state() == {"epoch": 0, "position": BATCH_SIZE * len(found)}
    store.proxy.fault = lambda number, method, path: None
    assert_batches([*found, *batches], expected)


MEMORY = """
import sys
from pathlib import Path
from training import open_dataset

def resident(field):
    return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0]) * 1024

url, budget = sys.argv[1], int(sys.argv[2])
with open_dataset(url, batch_size=2) as tiny:
    next(iter(tiny))
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
windows = sum(
    len(batch["valid_frames"])
    for number in range(int(sys.argv[3]))
    for batch in open_dataset(url, batch_size=16, memory_bytes=budget).epoch(number)
)
print(resident("VmHWM") - before, windows)
"""

ALLOWANCE = 4_000_000
"""Beyond the budget: connections, and what the libraries of stores and malloc keep."""


@pytest.mark.parametrize("megabytes", [32, 64])
def test_a_reader_of_a_store_stays_within_its_budget(
    store: Store, tmp_path: Path, megabytes: int
) -> None:
    config = dataclasses.replace(PRESETS["librosa"], features=("log_mel",))
    frames = {"train": (4_300,) * 15, "validation": (430,), "test": (430,)}
    root = make_dataset(
        tmp_path / "large", config=config, frames=frames, shards=2, formats=("tfrecord",)
    )
    url = store.put(root, f"large-{megabytes}")
    epochs = 20 * megabytes * 10**6 // (150 * 220_160)
    arguments = [sys.executable, "-c", MEMORY, url, str(megabytes * 10**6), str(epochs)]
    run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    grown, windows = map(int, run.stdout.split())
    assert windows == 150 * epochs
    assert grown < megabytes * 10**6 + ALLOWANCE, f"{grown / 1e6:.1f} MB"
