"""Worker processes: a run whose workers die, and workers whose run does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import ROOT, finish, kill, preprocess_command, refused, start, wait_for
from tests.support.reference import digests
from tests.support.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

WORKERS = 3
RECORDED = tuple(Tiny(str(number), seconds=100, work=str(number)) for number in range(100, 106))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_musicnet(tmp_path_factory.mktemp("workers") / "in", RECORDED)


def command_for(root: Path, out: Path, *, workers: int) -> list[str]:
    config = root.parent / "config.json"
    config.write_text(json.dumps(CONFIG.to_dict()))
    options = ("--config", config, "--shard-mb", 0.2, "--workers", workers)
    return preprocess_command(root, out, *options)


@pytest.fixture(scope="module")
def expected(root: Path) -> dict[str, str]:
    """The digests of a run without worker processes."""
    finish(command_for(root, root.parent / "out", workers=1))
    return digests(root.parent / "out")


@pytest.fixture
def writing(root: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has written its first shards."""
    process = start(command_for(root, tmp_path / "out", workers=WORKERS))
    wait_for(lambda: list(tmp_path.glob("out/*/*.index.parquet")), process)
    yield process
    kill(process)


def descendants_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """In the order in which they were started."""
    workers = psutil.Process(process.pid).children()
    assert len(workers) == WORKERS
    return sorted(workers, key=lambda worker: worker.pid)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


@pytest.mark.parametrize("number", range(WORKERS))
def test_a_run_says_that_a_worker_was_killed_and_can_go_on(
    number: int,
    writing: subprocess.Popen[str],
    root: Path,
    tmp_path: Path,
    expected: dict[str, str],
) -> None:
    family = descendants_of(writing)
    workers_of(writing)[number].kill()
    assert "a worker process was killed (SIGKILL); the same command resumes the run" in refused(
        writing
    )
    wait_until_gone(family)
    assert finish(command_for(root, tmp_path / "out", workers=WORKERS))["shards_kept"] > 0
    assert digests(tmp_path / "out") == expected


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_run(sent: int, writing: subprocess.Popen[str]) -> None:
    family = descendants_of(writing)
    writing.send_signal(sent)
    writing.communicate(timeout=60)
    wait_until_gone(family)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.4, 0.8, None])
def test_ctrl_c_is_told_in_one_line(
    seconds: float | None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal sends it to every process; before Python itself has started it may be silent."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    process = start(command_for(root, tmp_path / "out", workers=WORKERS))
    wait_for(lambda: descendants_of(process), process)
    if seconds is None:
        wait_for(lambda: list(tmp_path.glob("out/*/*.index.parquet")), process)
    else:
        time.sleep(seconds)
    family = descendants_of(process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, ""), errors
    assert errors.splitlines()[-1] == "interrupted; the same command goes on where it stopped"
    assert "Traceback" not in errors
    wait_until_gone(family)
    assert list((tmp_path / "tmp").iterdir()) == []


LOSING_CTRL_C = """
import contextlib, os, signal, sys
from musicnet_duet.process import run_process
from pipelines.cli import main

def lose(event, arguments):
    if event == "import" and arguments[0] == "apache_beam":
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(lose)
run_process(main)
"""


def test_ctrl_c_that_a_library_loses_while_it_is_imported_ends_the_run(
    root: Path, tmp_path: Path
) -> None:
    line = command_for(root, tmp_path / "out", workers=WORKERS)
    command = [sys.executable, "-c", LOSING_CTRL_C, *line[line.index("preprocess") :]]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (130, "")
    lines = ended.stderr.strip().splitlines()
    assert lines == ["interrupted; the same command goes on where it stopped"]


def test_nothing_is_left_in_the_folder_of_temporary_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    finish(command_for(root, tmp_path / "out", workers=WORKERS))
    assert list((tmp_path / "tmp").iterdir()) == []
