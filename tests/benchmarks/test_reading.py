import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.reading import limit, ours, tf_data, timing
from benchmarks.reading.timing import Batch, cpu_seconds, epoch_windows, read
from benchmarks.reading.windows import shard_windows
from schemas import Dataset
from tests.support.processes import ROOT

FEATURES = ("log_mel", "waveform", "notes", "onsets")
WAYS: dict[str, Callable[[Dataset, tuple[str, ...]], Iterator[Batch]]] = {
    "tfrecord": lambda dataset, features: ours.batches(dataset, features, "tfrecord"),
    "hdf5": lambda dataset, features: ours.batches(dataset, features, "hdf5"),
    "tf.data": lambda dataset, features: tf_data.batches(dataset, features, "-1", "0"),
    "tf.data, private threads": lambda *args: tf_data.batches(*args, "2", "2"),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    """TensorFlow's shuffling needs one where tests before these have made it deterministic."""
    tf.random.set_seed(0)


def stored_windows(dataset: Dataset) -> list[list[bytes]]:
    shards = dataset.shards("train", "tfrecord")
    windows = itertools.chain.from_iterable(shard_windows(dataset, shard) for shard in shards)
    return sorted([window.features[name].tobytes() for name in FEATURES] for window in windows)


@pytest.mark.parametrize("way", WAYS)
def test_an_epoch_holds_every_window_once(way: str, tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    batches = WAYS[way](dataset, FEATURES)
    left = epoch_windows(dataset)
    found: list[list[bytes]] = []
    while left:
        arrays = {name: np.asarray(values) for name, values in next(batches).items()}
        left -= len(arrays["log_mel"])
        for row in range(len(arrays["log_mel"])):
            for name in FEATURES:
                spec = dataset.config.specs()[name]
                assert arrays[name][row].shape == spec.shape
                assert arrays[name].dtype == spec.dtype
            found.append([arrays[name][row].tobytes() for name in FEATURES])
    assert sorted(found) == stored_windows(dataset)


@pytest.mark.parametrize("file_format", ["tfrecord", "hdf5"])
def test_ours_resumes_where_it_was_saved(file_format: str, tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    saved = ours.save(dataset, ("log_mel",), file_format)
    first, second = itertools.islice(ours.batches(dataset, ("log_mel",), file_format), 2)
    resumed = saved.resume()
    # The batch at nine tenths of the first epoch is its last; the one after it is saved.
    assert not np.array_equal(resumed["log_mel"], first["log_mel"])
    assert np.array_equal(resumed["log_mel"], second["log_mel"])


def test_tf_data_resumes_from_a_checkpoint_that_holds_what_is_shuffled(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    dataset = Dataset(shutil.copytree(tiny_dataset, tmp_path / "dataset"))
    saved = tf_data.save(dataset, ("log_mel",), "2", "0")
    assert saved.state_bytes > 1_000
    resumed = saved.resume()
    assert len(resumed["log_mel"]) == 16


@pytest.mark.parametrize("features", [("log_mel",), ("onsets", "log_mel"), FEATURES])
def test_the_limit_reads_and_checks_every_feature(
    features: tuple[str, ...], tiny_dataset: Path, tmp_path: Path
) -> None:
    dataset = Dataset(shutil.copytree(tiny_dataset, tmp_path / "dataset"))
    order = np.arange(10)[::-1]
    assert next(limit.read_batches(limit.Spans.of(dataset, features), order)) == 10
    shard = dataset.shards("train", "tfrecord")[0]
    row = dataset.index(shard).table.to_pylist()[0]
    sound = (tmp_path / "dataset" / shard).read_bytes()
    for name in features:
        damaged = bytearray(sound)
        damaged[row[f"{name}_offset"] + row[f"{name}_length"] - 1] ^= 1
        (tmp_path / "dataset" / shard).write_bytes(damaged)
        with pytest.raises(ValueError, match="window 0 fails its checksum"):
            next(limit.read_batches(limit.Spans.of(dataset, features), order))


def test_the_limit_is_measured_in_processes(tiny_dataset: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.reading.limit", "epoch", tiny_dataset, "log_mel"]
    run = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, check=True)
    figures = json.loads(run.stdout)
    assert figures["windows_per_second"] > 0
    assert figures["idle_bytes"] > 1e6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that `read` sees."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def timed_batches(clock: SimpleNamespace, sizes: list[int], seconds: float) -> Iterator[Batch]:
    """Batches of these sizes; each takes the seconds."""
    for size in sizes:
        clock.now += seconds
        yield {"log_mel": [0] * size}


def test_as_many_windows_are_read_as_make_an_epoch(clock: SimpleNamespace) -> None:
    batches = timed_batches(clock, [16, 16, 8, 16], seconds=1)
    read(batches, clock.now, "log_mel", least=40, seconds=0)
    assert len(list(batches)) == 1


def test_reading_goes_on_for_the_seconds_that_are_asked_for(clock: SimpleNamespace) -> None:
    batches = timed_batches(clock, [10] * 100, seconds=1)
    read(batches, clock.now, "log_mel", least=20, seconds=9.5)
    assert len(list(batches)) == 100 - 1 - 10


def test_the_first_batch_does_not_count_in_the_rate(clock: SimpleNamespace) -> None:
    opened = clock.now
    clock.now += 7
    batches = timed_batches(clock, [50, 10, 20], seconds=1)
    figures = read(batches, opened, "log_mel", least=80, seconds=0)
    assert figures["first_batch_seconds"] == 8
    assert figures["windows_per_second"] == 15
    assert figures["windows_per_second_from_opening"] == 8


def test_the_computing_of_children_counts_while_they_live_and_afterward() -> None:
    code = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True)\ninput()"
    before = cpu_seconds()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alive = cpu_seconds()
        child.communicate(b"\n")
    assert alive - before >= 0.3
    # Sums of the same hundredths, in another order.
    assert round(cpu_seconds(), 2) >= round(alive, 2)
