"""Whatever the files hold, a run ends well: damaged recordings are refused, sound ones unharmed.

Real processes preprocess folders of damaged recordings among a few sound ones. 2,000 recordings
take about three minutes on two cores; `FUZZ_FILES` asks for another number, and `FUZZ_SEED` (0)
for others:

    FUZZ_FILES=20000 FUZZ_SEED=1 python -m pytest tests/integration/test_fuzz.py \\
        --override-ini addopts="-ra --strict-markers"

A failure names the recordings by which it comes about: `make_mutant(seed, number)` makes each of
them again, and `write_batch` the folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.verify import verify
from schemas import Dataset
from schemas.shards import SPLITS
from tests.mutations import TABLE_KINDS, Mutant, make_mutant, mutate, write_mutants
from tests.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

FILES = int(os.environ.get("FUZZ_FILES", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
BATCH = 100
SECONDS = 60
"""A batch takes about 6."""
MEMORY_BYTES = 500 * 2**20

SOUND = (
    Tiny("sound-1", seconds=0.7, work="A"),
    Tiny("sound-2", seconds=0.5, rate=48_000, channels=2, subtype="PCM_16", work="B"),
    Tiny("sound-3", seconds=0.4, rate=22_050, subtype="PCM_24", work="C"),
    Tiny("sound-4", seconds=0.6, group="test", work="A"),
)

Windows = dict[tuple[str, int], tuple[int, ...]]
"""The checksums of a window's features, by its recording and its first frame."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """A process that ended, or was killed when it took too long or too much."""

    status: int
    stderr: str
    seconds: float
    peak_bytes: int


@pytest.fixture(scope="module")
def sound_windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    """Of a run of the sound recordings alone."""
    folder = tmp_path_factory.mktemp("sound")
    write_batch(folder / "in", [])
    ended = preprocess(folder / "in", folder / "out", "tfrecord", 1)
    assert ended.status == 0, ended.stderr
    windows = windows_of(Dataset(folder / "out"))
    assert {name for name, _ in windows} == {tiny.recording_id for tiny in SOUND}
    return windows


@pytest.mark.parametrize("first", range(0, FILES, BATCH))
def test_damaged_recordings_harm_nothing_but_themselves(
    first: int, sound_windows: Windows, tmp_path: Path
) -> None:
    mutants = [make_mutant(SEED, number) for number in range(first, min(FILES, first + BATCH))]

    def complaints_of(some: Sequence[Mutant]) -> list[str]:
        return complaints(tmp_path / "batch", some, sound_windows)

    found = complaints_of(mutants)
    if found:
        blamed = fewer(mutants, lambda some: bool(complaints_of(some)))
        lines = [*found[:20], "which comes about by", *map(str, blamed[:20])]
        pytest.fail("\n  ".join(lines), pytrace=False)


def fewer(mutants: Sequence[Mutant], fails: Callable[[Sequence[Mutant]], bool]) -> Sequence[Mutant]:
    """One mutant by which it fails, or as few as are needed if it takes several."""
    while len(mutants) > 1:
        middle = len(mutants) // 2
        halves = (mutants[:middle], mutants[middle:])
        mutants_of_half = next((half for half in halves if fails(half)), None)
        if mutants_of_half is None:
            break
        mutants = mutants_of_half
    return mutants


def complaints(folder: Path, mutants: Sequence[Mutant], sound_windows: Windows) -> list[str]:
    """What is wrong, a line each, with a run of the mutants among the sound recordings."""
    shutil.rmtree(folder, ignore_errors=True)
    root, out = folder / "in", folder / "out"
    write_batch(root, mutants)
    batch = mutants[0].number // BATCH
    file_format = "both" if batch % 4 == 0 else "tfrecord"
    ended = preprocess(root, out, file_format, workers=1 + batch % 2)
    found = [*process_complaints(ended)]
    if not found:
        dataset = Dataset(out)
        found += verify(str(out)).defects
        windows = windows_of(dataset)
        for window, checksums in sound_windows.items():
            if windows.get(window) != checksums:
                found.append(f"the window of {window[0]} at frame {window[1]} is another")
        found += recording_complaints(dataset, mutants)
    shutil.rmtree(folder)
    return found


def write_batch(root: Path, mutants: Sequence[Mutant]) -> None:
    """The sound recordings and the mutants; the metadata is damaged in every third batch."""
    write_tiny_musicnet(root, SOUND)
    write_mutants(root, mutants)
    metadata = root / "musicnet_metadata.csv"
    rows = (f'"{each.recording_id}","Composer","{each.number % 9}","","","","","",1\r\n'
            for each in mutants)  # fmt: skip
    data = metadata.read_bytes() + "".join(rows).encode()
    if mutants and mutants[0].number // BATCH % 3 == 2:
        rng = np.random.default_rng([mutants[0].seed, mutants[0].number // BATCH])
        _, data = mutate(data, rng, TABLE_KINDS)
    metadata.write_bytes(data)


def preprocess(root: Path, out: Path, file_format: str, workers: int) -> Ended:
    """Runs the command, and watches its time and memory."""
    config, stderr = root.parent / "features.json", root.parent / "stderr"
    config.write_text(json.dumps(CONFIG.to_dict()))
    command = [sys.executable, "-m", "pipelines", "preprocess", "--input", str(root), "--output",
               str(out), "--config", str(config), "--format", file_format, "--workers",
               str(workers), "--shard-mb", "1", "--max-rejects", "1"]  # fmt: skip
    started, peak = time.monotonic(), 0
    with stderr.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        while process.poll() is None:
            peak = max(peak, peak_bytes(process.pid))
            if time.monotonic() > started + SECONDS or peak > 2 * MEMORY_BYTES:
                process.kill()
            time.sleep(0.01)
    text = stderr.read_text(errors="replace")
    return Ended(process.returncode, text, time.monotonic() - started, peak)


def peak_bytes(pid: int) -> int:
    """The most memory that a running process has held, 0 when it has just ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 if "VmHWM:" in status else 0


def process_complaints(ended: Ended) -> list[str]:
    found = []
    if ended.seconds > SECONDS:
        found.append(f"did not end in {SECONDS} seconds")
    if ended.peak_bytes > MEMORY_BYTES:
        found.append(f"held {ended.peak_bytes >> 20} MiB, more than {MEMORY_BYTES >> 20}")
    if ended.status:
        found.append(f"exit status {ended.status}: {ended.stderr[-1_500:]}")
    elif "Traceback" in ended.stderr:
        found.append(f"a traceback: {ended.stderr[:1_500]}")
    return found


def windows_of(dataset: Dataset) -> Windows:
    windows: Windows = {}
    for split in SPLITS:
        for shard in dataset.shards(split, "tfrecord"):
            for row in dataset.index(shard).table.to_pylist():
                checksums = (row[f"{name}_crc32c"] for name in dataset.config.features)
                windows[row["recording_id"], row["first_frame"]] = tuple(checksums)
    return windows


def recording_complaints(dataset: Dataset, mutants: Sequence[Mutant]) -> list[str]:
    """Whether each mutant is used or refused, and none is used for more or less than it holds."""
    rows = {row["recording_id"]: row for row in dataset.recordings().to_pylist()}
    refused = set(dataset.rejects()["recording_id"].to_pylist())
    found = []
    for mutant in mutants:
        name, row = mutant.recording_id, rows.get(mutant.recording_id)
        used = row is not None and row["status"] in ("ok", "partial")
        if not used and name not in refused:
            found.append(f"{mutant}: is neither used nor refused")
        if row is None or row["status"] != "ok":
            continue
        if mutant.only_claims_more:
            found.append(f"{mutant}: promises more than it holds and counts as whole")
        if mutant.only_cut and row["samples"] != mutant.sound.samples:
            found.append(
                f"{mutant}: cut from {mutant.sound.samples} samples to {row['samples']} "
                "and counts as whole"
            )
    return found
