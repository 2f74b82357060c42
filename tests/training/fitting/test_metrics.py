from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from schemas import DatasetError
from training.fitting.metrics import MetricsFile


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_call_writes_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path, done=0)
    metrics.write(1, {"bits": 5.5})
    metrics.write(1, {"validation_bits": 5.0})
    assert lines(path) == [{"step": 1, "bits": 5.5}, {"step": 1, "validation_bits": 5.0}]


def test_lines_after_the_step_that_is_resumed_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n[]\n{"step": 3}\n{"step"')
    MetricsFile(path, done=2).write(3, {"bits": 1.0})
    assert lines(path) == [{"step": 1}, {"step": 2}, {"step": 3, "bits": 1.0}]


def test_a_full_disk_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl", done=0)

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(DatasetError, match=r"metrics\.jsonl: cannot be written: no space left"):
        metrics.write(1, {"bits": 1.0})
