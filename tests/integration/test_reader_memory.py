"""A reader's memory budget holds: it goes through a dataset twenty times as large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.linked_dataset import make_linked_dataset

ROOT = Path(__file__).parents[2]

MB = 10**6
BUDGETS = (32, 64, 256)

ALLOWANCE = 4 * MB
"""What a process may grow by beyond the budget: stacks of threads, and what malloc keeps."""

WAYS = (
    ("levels", "batches", "tfrecord"),
    ("levels", "batches", "hdf5"),
    ("all", "batches", "tfrecord"),
    ("all", "batches", "hdf5"),
    ("all", "in-order", "tfrecord"),
    ("all", "shard", "hdf5"),
    ("all", "lists", "tfrecord"),
    ("all", "worker", "hdf5"),
    ("all", "tensorflow", "tfrecord"),
    ("crops", "batches", "tfrecord"),
    ("crops", "batches", "hdf5"),
    ("contiguous", "batches", "tfrecord"),
    ("contiguous-crops", "batches", "hdf5"),
)
"""What is read, through which interface of the reader, and from which file format."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader_memory")


def dataset(folder: Path, file_format: str, megabytes: int) -> Path:
    """A dataset of twenty times as many megabytes, made when it is first asked for."""
    root = folder / f"{file_format}-{megabytes}"
    if not root.exists():
        make_linked_dataset(root, 20 * megabytes * MB, file_format)
    return root


def growth(root: Path, megabytes: int, what: str, way: str, *, held: int = 1) -> int:
    """By how many bytes a process grows that reads a dataset."""
    module = [sys.executable, "-m", "tests.support.read_in_memory"]
    arguments = [str(root), str(megabytes * MB), what, way, str(held)]
    run = subprocess.run([*module, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.parametrize("megabytes", BUDGETS)
@pytest.mark.parametrize(("what", "way", "file_format"), WAYS)
def test_a_reader_stays_within_its_budget(
    folder: Path, what: str, way: str, file_format: str, megabytes: int
) -> None:
    grown = growth(dataset(folder, file_format, megabytes), megabytes, what, way)
    assert grown < megabytes * MB + ALLOWANCE, f"{grown / MB:.1f} MB"


@pytest.mark.parametrize("megabytes", BUDGETS)
def test_holding_a_few_batches_would_be_noticed(folder: Path, megabytes: int) -> None:
    root = dataset(folder, "tfrecord", megabytes)
    assert growth(root, megabytes, "levels", "batches", held=6) > megabytes * MB + ALLOWANCE
