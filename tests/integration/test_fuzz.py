"""Whatever the files hold, a run ends well: damaged recordings are refused, sound ones unharmed.

Real processes preprocess folders of damaged recordings among a few sound ones. 2,000 recordings
take about two minutes on two cores; `FUZZ_FILES` asks for another number, and `FUZZ_SEED` (0)
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchmarks.memory import family_of
from pipelines.verification.verify import verify
from schemas import Dataset
from schemas.shards import SPLITS
from tests.support.mutations import TABLE_KINDS, Mutant, make_mutant, mutate, write_mutants
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

FILES = int(os.environ.get("FUZZ_FILES", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
BATCH = 200
SECONDS = 60
"""A batch takes about 8."""
MEMORY_BYTES = 500 * 2**20
"""Of any of a run's processes."""

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


@dataclasses.dataclass(frozen=True)
class Complaint:
    """What is wrong; `kind` is the same where the cause may well be the same."""

    kind: str
    text: str


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
    first: int, sound_windows: Windows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mutants = [make_mutant(SEED, number) for number in range(first, min(FILES, first + BATCH))]
    found = complaints(tmp_path, mutants, sound_windows)
    if not found:
        return
    lines = [complaint.text for complaint in found]
    kind = found[0].kind
    if kind != "recording":

        def fails(some: Sequence[Mutant]) -> bool:
            return kind in {each.kind for each in complaints(tmp_path, some, sound_windows)}

        blamed = fewer(mutants, fails)
        lines += ["which comes about by", *map(str, blamed[:5])]
        lines += [f"and those up to number {blamed[-1].number}"] * (len(blamed) > 5)
    capsys.readouterr()  # progress bars
    pytest.fail("\n  ".join(lines), pytrace=False)


def fewer(mutants: Sequence[Mutant], fails: Callable[[Sequence[Mutant]], bool]) -> Sequence[Mutant]:
    """One mutant by which it fails, or as few as are needed if it takes several."""
    while len(mutants) > 1:
        middle = len(mutants) // 2
        halves = (mutants[:middle], mutants[middle:])
        failing = next((half for half in halves if fails(half)), None)
        if failing is None:
            break
        mutants = failing
    return mutants


def complaints(folder: Path, mutants: Sequence[Mutant], sound_windows: Windows) -> list[Complaint]:
    """What is wrong with a run of the mutants among the sound recordings."""
    root, out = folder / "in", folder / "out"
    write_batch(root, mutants)
    batch = mutants[0].number // BATCH
    file_format = "both" if batch % 3 == 0 else "tfrecord"
    ended = preprocess(root, out, file_format, workers=1 + batch % 2)
    found = process_complaints(ended)
    if not ended.status:
        found += dataset_complaints(out, mutants, sound_windows)
    shutil.rmtree(root)
    shutil.rmtree(out, ignore_errors=True)
    return found


def write_batch(root: Path, mutants: Sequence[Mutant]) -> None:
    """The sound recordings and the mutants; the metadata of half the batches is damaged."""
    write_tiny_musicnet(root, SOUND)
    write_mutants(root, mutants)
    metadata = root / "musicnet_metadata.csv"
    rows = (f'"{each.recording_id}","Composer","{each.number % 9}","","","","","",1\r\n'
            for each in mutants)  # fmt: skip
    data = metadata.read_bytes() + "".join(rows).encode()
    if mutants and mutants[0].number // BATCH % 4 > 1:
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
        try:
            while process.poll() is None:
                peak = max([peak, *map(peak_bytes, family_of(process.pid))])
                if time.monotonic() > started + SECONDS or peak > 2 * MEMORY_BYTES:
                    break
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
    text = stderr.read_text(errors="replace")
    return Ended(process.returncode, text, time.monotonic() - started, peak)


def peak_bytes(process: psutil.Process) -> int:
    """The most memory that a running process has held, 0 when it has just ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 if "VmHWM:" in status else 0


def process_complaints(ended: Ended) -> list[Complaint]:
    found = []
    if ended.seconds > SECONDS:
        found.append(Complaint("time", f"did not end in {SECONDS} seconds"))
    if ended.peak_bytes > MEMORY_BYTES:
        text = f"held {ended.peak_bytes >> 20} MiB, more than {MEMORY_BYTES >> 20}"
        found.append(Complaint("memory", text))
    if ended.status and not found:
        text = f"exit status {ended.status}: {ended.stderr[-1_500:]}"
        found.append(Complaint(f"status {ended.status}", text))
    if "Traceback" in ended.stderr:
        before, _, after = ended.stderr.partition("Traceback")
        text = f"a traceback: {before[-200:]}Traceback{after[:1_000]}"
        found.append(Complaint("traceback", text))
    return found


def dataset_complaints(
    out: Path, mutants: Sequence[Mutant], sound_windows: Windows
) -> list[Complaint]:
    """Whether the dataset is sound, holds what it should and says what became of each mutant."""
    dataset = Dataset(out)
    windows = windows_of(dataset)
    found = [Complaint("verify", str(defect)) for defect in verify(str(out)).defects]
    found += [
        Complaint("window", f"{recording_id}: its window at frame {first_frame} is another one")
        for (recording_id, first_frame), checksums in sound_windows.items()
        if windows.get((recording_id, first_frame)) != checksums
    ]
    rows = {row["recording_id"]: row for row in dataset.recordings().to_pylist()}
    refused = set(dataset.rejects()["recording_id"].to_pylist())
    for mutant in mutants:
        row = rows.get(mutant.recording_id, {})
        text = mutant_complaint(mutant, row, mutant.recording_id in refused)
        if text:
            found.append(Complaint("recording", f"{mutant}: {text}"))
    return found


def mutant_complaint(mutant: Mutant, row: Mapping[str, Any], refused: bool) -> str | None:
    """Whether a mutant is neither used nor refused, or used as if it were more than it is."""
    status = row.get("status")
    if not refused and status not in ("ok", "partial"):
        return "is neither used nor refused"
    if status == "ok" and mutant.only_claims_more:
        return "promises more than it holds and counts as whole"
    if status == "ok" and mutant.only_cut and row["samples"] != mutant.sound.samples:
        return f"counts as whole with {row['samples']} of {mutant.sound.samples} samples"
    return None


def windows_of(dataset: Dataset) -> Windows:
    windows: Windows = {}
    for split in SPLITS:
        for shard in dataset.shards(split, "tfrecord"):
            for row in dataset.index(shard).table.to_pylist():
                checksums = (row[f"{name}_crc32c"] for name in dataset.config.features)
                windows[row["recording_id"], row["first_frame"]] = tuple(checksums)
    return windows
