"""Grain and the workers of PyTorch's DataLoader read what the reader itself reads.

Grain does so in an environment of its own, without TensorFlow and Beam.
"""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas import DamagedDataError, Dataset
from tests.support.documents import DOCUMENTS, Block, blocks
from tests.support.environments import ROOT, can_import, environment
from training import Reader, open_dataset

SIZE = 4
DAMAGED = (1, 5, 13)
GRAIN_BLOCKS = [
    block for page in DOCUMENTS for block in blocks(page) if block.foreign_package == "grain"
]

Delivered = dict[tuple[str, int], np.ndarray]


@pytest.fixture(scope="module")
def damaged_root(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset some of whose training windows have a wrong byte."""
    root = tmp_path_factory.mktemp("damaged") / "dataset"
    shutil.copytree(small_dataset, root)
    dataset = Dataset(root)
    position = 0
    for shard in dataset.shards("train", "tfrecord"):
        data = bytearray((root / shard).read_bytes())
        for offset in dataset.index(shard).table["log_mel_offset"].to_pylist():
            data[offset + 9] ^= 0xFF * (position in DAMAGED)
            position += 1
        (root / shard).write_bytes(data)
    return root


def windows(reader: Reader) -> Delivered:
    """The sound windows, one by one."""
    items = filter(None, map(reader.get, range(len(reader))))
    return {(item["recording_id"], item["first_frame"]): item["log_mel"] for item in items}


def delivered(batches: list[dict[str, Any]]) -> Delivered:
    """The windows of some batches, none of which comes twice."""
    names = [
        (str(name), int(first))
        for batch in batches
        for name, first in zip(batch["recording_id"], batch["first_frame"], strict=True)
    ]
    assert len(set(names)) == len(names)
    levels = (row for batch in batches for row in batch["log_mel"])
    return dict(zip(names, levels, strict=True))


def assert_same(found: Delivered, expected: Delivered) -> None:
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def grain_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with environment(tmp_path_factory.mktemp("grain") / "environment", "grain==0.2.18") as python:
        yield python


def read_with_grain(python: Path, root: Path, out: Path) -> dict[str, dict[str, Any]]:
    """What each way of reading with Grain delivers, as one batch, and the sizes of its batches."""
    script = ROOT / "tests/support/read_with_grain.py"
    subprocess.run([str(python), str(script), str(root), str(out)], cwd=out, check=True)
    return {path.stem: dict(np.load(path)) for path in out.glob("*.npz")}


def test_reading_needs_neither_tensorflow_nor_beam(grain_python: Path) -> None:
    assert can_import(grain_python, "training.reading.reader")
    for module in ("tensorflow", "keras", "apache_beam"):
        assert not can_import(grain_python, module)


def test_grain_reads_every_window(grain_python: Path, small_dataset: Path, tmp_path: Path) -> None:
    with open_dataset(small_dataset) as reader:
        own, in_order = windows(reader), reader[:]
    found = read_with_grain(grain_python, small_dataset, tmp_path)
    assert len(found) == 9
    first = found.pop("items")
    assert np.array_equal(first["log_mel"], in_order["log_mel"][: 2 * SIZE])
    assert np.array_equal(found["threads"]["log_mel"], in_order["log_mel"])
    assert np.array_equal(found["threads"]["weights"], in_order["weights"])
    for way, batch in found.items():
        assert_same(delivered([batch]), own)
        assert batch["sizes"].max() == SIZE, way
    for way in ("shuffled resumed", "processes", "processes resumed"):
        assert np.array_equal(found[way]["log_mel"], found["shuffled"]["log_mel"])
    assert not np.array_equal(found["shuffled"]["log_mel"], in_order["log_mel"])


def test_grain_leaves_damaged_windows_out(
    grain_python: Path, damaged_root: Path, small_dataset: Path, tmp_path: Path
) -> None:
    with open_dataset(small_dataset) as whole:
        own = windows(whole)
        for position in DAMAGED:
            del own[whole[position]["recording_id"], whole[position]["first_frame"]]
    found = read_with_grain(grain_python, damaged_root, tmp_path)
    assert found.keys() == {"sound", "sound resumed", "sound processes"}
    for batch in found.values():
        assert_same(delivered([batch]), own)
    assert np.array_equal(found["sound"]["log_mel"], found["sound resumed"]["log_mel"])


@pytest.mark.parametrize("block", GRAIN_BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_the_documented_use_of_grain_runs(
    block: Block, grain_python: Path, small_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_dataset, tmp_path / "dataset")
    opened = """\
        from training import open_dataset

        reader = open_dataset("dataset")
        """
    # Worker processes import the script, so it has to be a file.
    (tmp_path / "script.py").write_text(f"{textwrap.dedent(opened)}\n{block.text}\n")
    subprocess.run([str(grain_python), "script.py"], cwd=tmp_path, check=True)


_reader: Reader
"""That of a worker process, as PyTorch's DataLoader hands its dataset over: pickled, or forked."""


def receive(reader: Reader) -> None:
    global _reader
    _reader = reader


def fetch_items(positions: list[int]) -> dict[str, Any]:
    """What a worker does with a list of positions of a map-style dataset."""
    items = _reader.__getitems__(positions)
    return {name: np.stack([item[name] for item in items]) for name in items[0]}


def fetch_batch(positions: list[int]) -> dict[str, Any]:
    """What it does with `batch_size=None` and a sampler of batches."""
    batch: dict[str, Any] = _reader[positions]
    return batch


def lists(reader: Reader) -> Iterator[list[int]]:
    positions = np.random.default_rng(0).permutation(len(reader)).tolist()
    yield from (positions[first : first + SIZE] for first in range(0, len(reader), SIZE))


@pytest.mark.parametrize("is_damaged", [False, True], ids=["sound", "damaged"])
@pytest.mark.parametrize("fetch", [fetch_items, fetch_batch])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_read_what_the_reader_reads(
    method: str,
    fetch: Callable[[list[int]], dict[str, Any]],
    is_damaged: bool,
    small_dataset: Path,
    damaged_root: Path,
) -> None:
    context = multiprocessing.get_context(method)
    with open_dataset(damaged_root if is_damaged else small_dataset) as reader:
        own = windows(reader)
        assert len(own) == len(reader) - len(DAMAGED) * is_damaged
        next(iter(reader))  # Its threads and open files are there when the workers start.
        with ProcessPoolExecutor(2, context, receive, (reader,)) as pool:
            for _ in range(2):
                batches = list(pool.map(fetch, lists(reader), timeout=100))
                assert_same(delivered(batches), own)
                sizes = [len(batch["log_mel"]) for batch in batches]
                assert sum(sizes) == len(own)
                assert is_damaged or sizes == [4, 4, 4, 2]


def test_nothing_is_left_of_a_list_of_damaged_windows(damaged_root: Path) -> None:
    with open_dataset(damaged_root) as reader:
        with pytest.raises(DamagedDataError, match="fail their checksum"):
            reader.__getitems__(list(DAMAGED))
        batch = reader[list(DAMAGED)]
    whole = reader[0]
    assert {name: array.shape for name, array in batch.items()} == {
        name: (0, *np.shape(value)) for name, value in whole.items()
    }
