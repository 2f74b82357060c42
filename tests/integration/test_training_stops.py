"""Runs that are killed, or asked to stop, go on as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.trained_runs import assert_same_run, latest, run
from training.runs import CHECKPOINTS, METRICS


def stopped_by(number: signal.Signals, command: list[str], run_dir: Path) -> str:
    """Starts `command`, signals it after its next checkpoint, and returns what it said."""
    index = run_dir / CHECKPOINTS / "index.json"
    before = index.read_text() if index.exists() else None
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 180
            while not index.exists() or index.read_text() == before:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(number)
            _, said = process.communicate(timeout=180)
        finally:
            process.kill()
    assert process.returncode == (-number if number == signal.SIGKILL else 130), said
    return said


SETTINGS = ["--units", "8", "--batch-size", "4", "--seed", "3"]
SETTINGS += ["--warmup-steps", "5", "--decay-steps", "40", "--deterministic"]
"""Of `trained_runs.MODEL` and `TRAINING`."""


def endless(data: Path, run_dir: Path) -> list[str]:
    command = [sys.executable, "-m", "training", "train", "--data", str(data)]
    return [*command, "--run", str(run_dir), "--validation-interval", "4", "--steps", "100000"]


def test_a_killed_run_ends_as_if_it_had_not_been_killed(
    small_dataset: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    stopped_by(signal.SIGKILL, endless(small_dataset, killed) + SETTINGS, killed)
    done = latest(killed)[0]
    with (killed / METRICS).open("a") as file:
        file.write('{"step": 99999, "bits": 1.0}\n{"step": 1000')
    run(small_dataset, killed, done + 3, resume=True)
    run(small_dataset, tmp_path / "at once", done + 3)
    assert_same_run(killed, tmp_path / "at once")


def test_signals_save_what_was_done(small_dataset: Path, tmp_path: Path) -> None:
    """A process that is asked to stop exits with 130; resumed, it ends as if never stopped."""
    stopped = tmp_path / "stopped"
    command = endless(small_dataset, stopped)
    said = stopped_by(signal.SIGINT, command + SETTINGS, stopped)
    assert "go on with: duet train" in said
    assert "Traceback" not in said
    at_first = latest(stopped)[0]
    stopped_by(signal.SIGTERM, [*command, "--resume"], stopped)
    steps = latest(stopped)[0]
    assert steps > at_first
    run(small_dataset, tmp_path / "at once", steps)
    assert_same_run(stopped, tmp_path / "at once")
