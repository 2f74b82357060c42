"""The pipeline's memory depends on its workers, not on how long or how many recordings are."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.memory import family_bytes
from schemas.features import LABEL_RATE
from tests.support.processes import preprocess_command, start
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet

BOUND = 250 * 2**20
"""Bytes a worker, and once more for the process that they work for."""

SECONDS = 36_000
NOTES = 40_000
RECORDINGS = 3_000


def peak_bytes(command: list[str]) -> int:
    """The most that a process and all its descendants hold."""
    process = start(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, family_bytes(process.pid))
        time.sleep(0.05)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return peak


def write_long_recording(path: Path, seconds: int) -> None:
    """Silence as RF64, float32: the audio takes no room on the disk."""
    nbytes = seconds * LABEL_RATE * 4
    form = struct.pack("<HHIIHH", 3, 1, LABEL_RATE, LABEL_RATE * 4, 4, 32)
    sizes = struct.pack("<QQQI", nbytes + 72, nbytes, seconds * LABEL_RATE, 0)
    header = b"RF64" + b"\xff" * 4 + b"WAVE"
    header += b"ds64" + struct.pack("<I", len(sizes)) + sizes
    header += b"fmt " + struct.pack("<I", len(form)) + form
    header += b"data" + b"\xff" * 4
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + nbytes)


def write_labels(path: Path, seconds: int, notes: int) -> None:
    with path.open("w") as file:
        file.write("start_time,end_time,instrument,note,start_beat,end_beat,note_value\n")
        for number in range(notes):
            at = number * seconds * LABEL_RATE // notes
            file.write(f"{at},{at + LABEL_RATE},1,{30 + number % 60},{number}.0,1.0,Quarter\n")


@pytest.fixture(scope="module")
def long_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recording of ten hours, 6.4 GB."""
    root = tmp_path_factory.mktemp("long")
    for folder in ("train_data", "train_labels"):
        (root / folder).mkdir()
    write_long_recording(root / "train_data/1.wav", SECONDS)
    write_labels(root / "train_labels/1.csv", SECONDS, NOTES)
    return root


@pytest.fixture(scope="module")
def wide_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thousands of recordings of a second, which are one file on the disk."""
    root = write_tiny_musicnet(tmp_path_factory.mktemp("wide"), [Tiny("0", seconds=1)])
    for number in range(1, RECORDINGS):
        for name in ("train_data/{}.wav", "train_labels/{}.csv"):
            os.link(root / name.format(0), root / name.format(number))
    return root


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "out"
    subprocess.run(["rm", "-rf", str(tmp_path / "out")], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_recording_of_ten_hours_needs_no_more_than_a_short_one(
    workers: int, long_root: Path, out: Path
) -> None:
    options = ("--workers", workers, "--features", "log_mel")
    peak = peak_bytes(preprocess_command(long_root, out, *options))
    print(f"{workers} workers: {peak / 2**20:.0f} MB")
    assert peak <= BOUND * (workers + 1)


def test_thousands_of_recordings_need_no_more_than_a_few(wide_root: Path, out: Path) -> None:
    options = ("--workers", 2, "--features", "log_mel,notes,onsets")
    peak = peak_bytes(preprocess_command(wide_root, out, *options))
    print(f"{RECORDINGS} recordings: {peak / 2**20:.0f} MB")
    assert peak <= BOUND * 3


LOAD = """
import subprocess, sys, time
import numpy as np
if len(sys.argv) == 3:
    held = np.fromfile(sys.argv[1], np.uint8, int(sys.argv[2]))
    time.sleep(0.5)
else:
    subprocess.run([sys.executable, "-c", sys.argv[3], *sys.argv[1:3]], check=True)
"""


def test_a_process_that_holds_the_recording_would_be_noticed(long_root: Path) -> None:
    path, nbytes = str(long_root / "train_data/1.wav"), str(4 * BOUND)
    assert peak_bytes([sys.executable, "-c", LOAD, path, nbytes, LOAD]) > 3 * BOUND
