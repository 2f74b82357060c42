"""Datasets in gs:// and s3://, against an emulator and a server of these protocols."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.verification.verify import verify
from schemas import Dataset, DatasetError, Storage, StoreError
from schemas.errors import UnreadableFileError
from schemas.storage import object_stores as stores
from schemas.storage.object_stores import MOST_REQUESTS
from schemas.storage.ranges import RangeReader
from tests.support.object_stores import (
    BREAK_OFF,
    HANG_UP,
    SILENCE,
    Fault,
    Request,
    Store,
    forget_stores,
    stored_digests,
)
from tests.support.older_datasets import without_cards
from tests.support.processes import ROOT, finish, preprocess_command, refusal
from tests.support.reading import assert_batches
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet
from training import open_dataset

pytestmark = pytest.mark.usefixtures("no_faults")

RECORDED = tuple(Tiny(str(number), seconds=6, work=str(number)) for number in range(100, 104))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_musicnet(tmp_path_factory.mktemp("stores") / "in", RECORDED)


@pytest.fixture(scope="module")
def options(root: Path) -> list[object]:
    config = root.parent / "features.json"
    config.write_text(json.dumps(CONFIG.to_dict()))
    return ["--config", config, "--format", "both", "--shard-mb", 0.1, "--workers", 2]


@pytest.fixture(scope="module")
def expected(root: Path, options: list[object]) -> dict[str, str]:
    """The digests of the dataset that a local run makes."""
    finish(preprocess_command(root, root.parent / "out", *options))
    return digests(root.parent / "out")


@pytest.fixture(scope="module")
def dataset(store: Store, root: Path, options: list[object]) -> str:
    """The URL of a dataset that was made of recordings in the store."""
    finish(preprocess_command(store.put(root, "in"), f"{store.url}/out", *options))
    return f"{store.url}/out"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pipelines", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_a_store_holds_the_bytes_that_a_disk_does(dataset: str, expected: dict[str, str]) -> None:
    assert stored_digests(dataset) == expected


def test_every_command_takes_a_store(dataset: str, tmp_path: Path) -> None:
    assert not verify(dataset).defects
    for arguments in (
        ["verify", dataset],
        ["inspect", dataset, "--plot", tmp_path / "windows.png"],
        ["rejects", dataset],
        ["card", dataset],
        ["preprocess", "--input", dataset.replace("/out", "/in"), "--output", "x", "--dry-run"],
    ):
        run = command(*arguments)
        assert run.returncode == 0, run.stderr
    assert (tmp_path / "windows.png").stat().st_size > 10_000


def test_cards_are_added_in_a_store(
    store: Store, root: Path, tmp_path: Path, dataset: str, expected: dict[str, str]
) -> None:
    older = without_cards(root.parent / "out", tmp_path / "older")
    url = store.put(older, "older")
    assert stored_digests(url) == digests(older)
    run = command("card", url)
    assert run.returncode == 0, run.stderr
    assert stored_digests(url) == expected
    Storage(url).write_bytes("README.md", b"my own words")
    assert "README.md: was left as it is" in command("card", url).stderr
    assert Storage(url).read_bytes("README.md") == b"my own words"
    assert stored_digests(dataset) == expected


def test_an_earlier_dataset_in_a_store_is_reused(
    store: Store, dataset: str, options: list[object], expected: dict[str, str], tmp_path: Path
) -> None:
    making = preprocess_command(Path("unused"), tmp_path / "out", *options, "--reuse", dataset)
    making[making.index("--input") + 1] = f"{store.url}/in"
    made = finish(making)
    assert made["reuse"]["windows"] == made["metrics"]["windows_written"] > 0
    assert digests(tmp_path / "out") == expected


def test_training_reads_from_a_store(dataset: str, root: Path, expected: dict[str, str]) -> None:
    from_store, from_disk = open_dataset(dataset), open_dataset(root.parent / "out")
    assert_batches([from_store[:]], [from_disk[:]])
    assert_batches(list(from_store.epoch(1)), list(from_disk.epoch(1)))


def reads_audio(request: Request) -> bool:
    """Whether it is for bytes of a recording, many or all, and not for what is known of it."""
    whole = request.path.partition("?")[0].endswith(".wav")
    return request.method == "GET" and whole and request.nbytes > 10_000


def test_little_more_is_fetched_than_used(store: Store, tmp_path: Path) -> None:
    """Of recordings that are cut into whole windows, each sample belongs to one.

    Each recording is read once more before, for its digest.
    """
    root = write_tiny_musicnet(tmp_path / "in", [Tiny("100", seconds=60), Tiny("101", seconds=60)])
    url = store.put(root, "long")
    store.proxy.requests.clear()
    finish(preprocess_command(url, f"{store.url}/counted"))
    audio = [each for each in store.proxy.requests if reads_audio(each)]
    windows = sum(
        split.windows for split in Dataset(f"{store.url}/counted").manifest.splits.values()
    )
    fetched = sum(each.nbytes for each in audio)
    used = sum(path.stat().st_size for path in root.glob("*/*.wav"))
    print(f"\n{store.url}: {len(audio)} requests for {windows} windows; "
          f"{fetched:,} bytes fetched, {used:,} used")  # fmt: skip
    assert len(audio) <= windows + 2 + 2 * 2
    assert 2 * used <= fetched <= 2.2 * used


def every(number: int, *faults: int) -> Fault:
    """One request in so many fails, in turns in each of these ways."""

    def fault(request: int, method: str, path: str) -> int | None:
        turn, rest = divmod(request, number)
        return faults[turn % len(faults)] if rest == number - 1 else None

    return fault


def until_none_is_left(faults: list[int]) -> Fault:
    """The first requests fail, each in one of these ways, which are taken off the list."""
    return lambda number, method, path: faults.pop() if faults else None


def test_what_fails_for_a_moment_is_tried_again(
    store: Store, dataset: str, options: list[object], expected: dict[str, str]
) -> None:
    before = store.proxy.faults
    store.proxy.fault = every(19, 500, 503, 429, HANG_UP)
    finish(preprocess_command(f"{store.url}/in", f"{store.url}/faulty", *options))
    store.proxy.fault = lambda number, method, path: None
    print(f"{store.url}: {store.proxy.faults - before} requests failed and were tried again")
    assert store.proxy.faults - before > 10
    assert stored_digests(f"{store.url}/faulty") == expected


def test_an_answer_that_does_not_come_is_asked_for_again(
    store: Store, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_SECONDS_TO_ANSWER", 1)
    forget_stores()
    storage = Storage(dataset)
    data = storage.read_bytes("dataset.json")
    faults = [SILENCE, SILENCE]
    store.proxy.fault = until_none_is_left(faults)
    assert storage.open_ranges("dataset.json").read(0, len(data)) == data
    assert faults == []
    forget_stores()


def test_an_answer_that_breaks_off_is_asked_for_again(store: Store, dataset: str) -> None:
    storage = Storage(dataset)
    shard = Dataset(dataset).shards("train", "tfrecord")[0]
    ranges = storage.open_ranges(shard)
    reads: list[Callable[[], bytes]] = [
        lambda: ranges.read(0, 10_000),
        lambda: filled(ranges, 10_000),
        lambda: storage.read_bytes(shard),
    ]
    for read in reads:
        expected = read()
        faults = [BREAK_OFF, BREAK_OFF]
        store.proxy.fault = until_none_is_left(faults)
        assert read() == expected
        assert faults == []


def filled(ranges: RangeReader, nbytes: int) -> bytes:
    """The first bytes of a file, read into two buffers."""
    buffer = bytearray(nbytes)
    halves = memoryview(buffer)[: nbytes // 2], memoryview(buffer)[nbytes // 2 :]
    assert ranges.read_into(0, halves) == nbytes
    return bytes(buffer)


def test_reading_takes_one_request(store: Store, dataset: str) -> None:
    opened = Dataset(dataset)
    shard = opened.shards("train", "tfrecord")[0]
    ranges = opened.storage.open_ranges(shard)
    opened.storage.write_bytes("empty", b"")
    reads: dict[str, Callable[[], object]] = {
        "dataset.json": lambda: Dataset(dataset),
        f"{shard}.index.parquet": lambda: opened.index(shard),
        "recordings.parquet": opened.recordings,
        "rejects.parquet": opened.rejects,
        shard: lambda: filled(ranges, 10_000),
        "empty": lambda: opened.storage.read_bytes("empty"),
    }
    for name, read in reads.items():
        before = len(store.proxy.requests)
        read()
        (request,) = store.proxy.requests[before:]
        path = urllib.parse.unquote(request.path).partition("?")[0]
        assert (request.method, path.endswith(f"out/{name}")) == ("GET", True)
    assert opened.storage.read_bytes("empty") == b""
    opened.storage.remove("empty")


def test_many_requests_are_sent_at_once(store: Store, dataset: str) -> None:
    """None is answered before as many are there as a store is to handle at a time."""
    opened = Dataset(dataset)
    ranges = opened.storage.open_ranges(opened.shards("train", "tfrecord")[0])
    together = threading.Barrier(MOST_REQUESTS)
    data = ranges.read(0, 1000)

    def wait_for_the_others(number: int, method: str, path: str) -> None:
        together.wait(timeout=30)

    store.proxy.fault = wait_for_the_others
    with ThreadPoolExecutor(2 * MOST_REQUESTS) as threads:
        parts = list(threads.map(lambda start: ranges.read(start, 9), range(2 * MOST_REQUESTS)))
    assert parts == [data[start : start + 9] for start in range(2 * MOST_REQUESTS)]
    assert not together.broken


def test_a_store_has_the_same_safeguards_by_another_name(
    store: Store, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = store.url.partition("://")[0]
    name = {"gs": "gcs", "s3": "s3a"}[protocol]
    monkeypatch.setattr(stores, "_SECONDS_TO_ANSWER", 1)
    forget_stores()
    other = Dataset(dataset.replace(protocol, name, 1))
    shard = other.shards("train", "tfrecord")[0]
    expected = Storage(dataset).read_bytes(shard)
    faults = [BREAK_OFF, SILENCE]
    store.proxy.fault = until_none_is_left(faults)
    started = time.monotonic()
    assert other.storage.read_bytes(shard) == expected
    assert faults == []
    # The proxy stays silent for half a minute; s3fs itself would wait for 15 seconds.
    assert time.monotonic() - started < 14
    with pytest.raises(UnreadableFileError, match=rf"^{name}://music/out/none: no such file$"):
        other.storage.read_bytes("none")
    forget_stores()


def test_a_dataset_that_cannot_be_opened_says_why(store: Store, dataset: str) -> None:
    with pytest.raises(DatasetError, match=rf"^{dataset}/x/dataset\.json: no such file, so there"):
        Dataset(f"{dataset}/x")
    missing = store.url.replace("music", "silence")
    with pytest.raises(DatasetError, match=f"^{missing}/out: no bucket 'silence'$"):
        Dataset(f"{missing}/out")
    store.proxy.fault = lambda number, method, path: 403
    with pytest.raises(DatasetError, match=f"^{dataset}: no permission: the store does not let"):
        Dataset(dataset)


def test_a_bucket_that_cannot_be_asked_is_not_called_missing(store: Store) -> None:
    assert Storage(store.url).exists()
    assert not Storage(store.url.replace("music", "silence")).exists()
    store.proxy.fault = lambda number, method, path: 500
    with pytest.raises(StoreError, match="the store did not answer as it should"):
        Storage(store.url).exists()


def test_beyond_its_end_a_file_has_no_bytes(store: Store, dataset: str) -> None:
    ranges = Storage(dataset).open_ranges("dataset.json")
    size = len(Storage(dataset).read_bytes("dataset.json"))
    assert [ranges.read(0, 0), ranges.read(size, 10), ranges.read(size + 99, 10)] == [b""] * 3
    assert len(ranges.read(size - 5, 10)) == 5


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_end_in_mid_run_refuse_no_recording(
    store: Store, options: list[object], dataset: str, status: int
) -> None:
    headers = [1]

    def fault(number: int, method: str, path: str) -> int | None:
        """The recording's header can be read, but none of its windows."""
        reads = method == "GET" and path.endswith(("102.wav", "102.wav?alt=media"))
        if not reads or (store.url.startswith("gs") and "alt=media" not in path):
            return None
        if headers:
            headers.pop()
            return None
        return status

    store.proxy.fault = fault
    making = preprocess_command(Path("unused"), Path("unused"), *options)
    making[making.index("--input") + 1] = f"{store.url}/in"
    making[making.index("--output") + 1] = f"{store.url}/ended-{status}"
    assert "102.wav: " in refusal(making)
    assert not Storage(f"{store.url}/ended-{status}").exists("dataset.json")


def test_a_store_that_goes_on_failing_is_told_in_one_line(store: Store, dataset: str) -> None:
    ranges = Storage(dataset).open_ranges("dataset.json")
    store.proxy.fault = lambda number, method, path: 500
    with pytest.raises(StoreError, match=r"out/dataset\.json: the store did not answer") as error:
        ranges.read(0, 10)
    assert "\n" not in str(error.value)


def test_a_store_that_fails_in_mid_run_spoils_nothing(
    store: Store, root: Path, dataset: str, options: list[object]
) -> None:
    """Nothing is called damaged, and no recording is refused, because of it."""
    store.proxy.fault = lambda number, method, path: 500 if "00000-of" in path else None
    verifying = [sys.executable, "-m", "pipelines", "verify", dataset, "--json"]
    assert "the store did not answer as it should" in refusal(verifying)
    store.proxy.fault = lambda number, method, path: 500 if "101.wav" in path else None
    making = preprocess_command(root, f"{store.url}/half", *options)
    making[making.index("--input") + 1] = f"{store.url}/in"
    assert "101.wav: the store did not answer as it should" in refusal(making)


def test_versions_of_many_files_take_one_listing(store: Store, root: Path) -> None:
    storage = Storage(store.put(root, "in"))
    names = storage.list_folder("train_data")[0]
    expected = [storage.version(name) for name in names]
    before = len(store.proxy.requests)
    assert storage.versions(names) == expected
    assert len(store.proxy.requests) - before < len(names)
    with pytest.raises(UnreadableFileError, match=r"train_data/none\.wav: no such file"):
        storage.versions([*names, "train_data/none.wav"])


def test_an_upload_appears_when_it_is_whole(store: Store) -> None:
    storage = Storage(f"{store.url}/uploads")
    for size in (100, 12 << 20):
        data = os.urandom(size)
        with storage.create("whole.bin") as file:
            file.write(data)
            assert not storage.exists("whole.bin")
        assert storage.read_bytes("whole.bin") == data
        storage.remove("whole.bin")
        with contextlib.suppress(ZeroDivisionError), storage.create("half.bin") as file:
            file.write(data)
            raise ZeroDivisionError
        before = len(store.proxy.requests)
        del file
        gc.collect()
        assert len(store.proxy.requests) == before
        assert storage.list_files() == []


def test_a_process_ends_with_no_upload_after_one_that_failed(store: Store) -> None:
    code = f"""
import contextlib
from schemas import Storage
with contextlib.suppress(ZeroDivisionError):
    with Storage({store.url!r}).create("half.bin") as file:
        file.write(bytes(100))
        raise ZeroDivisionError
"""
    store.proxy.requests.clear()
    line = [sys.executable, "-c", code]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [each for each in store.proxy.requests if each.method in ("POST", "PUT")] == []


def test_missing_buckets_are_told_in_one_line(store: Store, dataset: str) -> None:
    missing = store.url.replace("music", "silence")
    for arguments in (
        ["verify", f"{missing}/out"],
        ["preprocess", "--input", f"{missing}/in", "--output", f"{store.url}/new"],
        ["preprocess", "--input", f"{store.url}/in", "--output", f"{missing}/new"],
    ):
        run = command(*arguments)
        (line,) = run.stderr.splitlines()
        assert line.endswith(": no bucket 'silence'; check its name")
        assert run.returncode == 1


@pytest.mark.parametrize("writes", [False, True])
def test_missing_permission_is_told_in_one_line(store: Store, dataset: str, writes: bool) -> None:
    store.proxy.fault = lambda number, method, path: (
        403 if method in ("PUT", "POST") or not writes else None
    )
    making = ["--input", f"{store.url}/in", "--output", f"{store.url}/new2"]
    message = refusal([sys.executable, "-m", "pipelines", "preprocess", *making])
    assert message.startswith(f"{store.url}/{'new2' if writes else 'in'}")
    assert "no permission" in message


def test_no_credentials_are_written_or_told(store: Store, root: Path, dataset: str) -> None:
    store.proxy.fault = lambda number, method, path: 403
    told = command("verify", dataset, "--debug").stderr
    store.proxy.fault = lambda number, method, path: None
    storage = Storage(dataset)
    kept = [name for name in storage.list_files() if b"a-secret" in storage.read_bytes(name)]
    assert (kept, "a-secret" in told) == ([], False)
