"""Worker processes: a run whose workers die, and workers whose run does."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.processes import finish, kill, preprocess_command, refused, start, wait_for
from tests.reference import digests
from tests.tiny_musicnet import CONFIG, Tiny, write_tiny_musicnet

WORKERS = 3
RECORDED = tuple(Tiny(str(number), seconds=25, work=str(number)) for number in range(100, 106))


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


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """In the order in which they were started: all are children of one server."""
    workers = max((each.children() for each in family_of(process)), key=len)
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
    family = family_of(writing)
    workers_of(writing)[number].kill()
    assert "a worker process was killed (SIGKILL); if the machine" in refused(writing)
    wait_until_gone(family)
    assert finish(command_for(root, tmp_path / "out", workers=WORKERS))["shards_reused"] > 0
    assert digests(tmp_path / "out") == expected


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_run(sent: int, writing: subprocess.Popen[str]) -> None:
    family = family_of(writing)
    writing.send_signal(sent)
    writing.communicate()
    wait_until_gone(family)
