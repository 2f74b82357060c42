"""Plans far larger than MusicNet's: what grows with the recordings, and what does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.text import aligned
from tests.support.processes import ROOT

MANY = 1_000_000
MB = 1e6


def plan_of(recordings: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.plan_many", str(recordings), str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return plan_of(330, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return plan_of(MANY, tmp_path_factory.mktemp("many"))


@pytest.fixture(autouse=True, scope="module")
def shown(few: dict[str, Any], many: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Shows what a million recordings take."""
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + aligned(rows(few, many)))


def rows(*runs: dict[str, Any]) -> list[list[str]]:
    """The name of each figure and its value in each run: counts are whole, the rest to a tenth."""
    figures = {
        "recordings": [run["recordings"] for run in runs],
        "windows": [run["windows"] for run in runs],
        "shards": [run["shards"] for run in runs],
        "launcher, seconds": [run["launcher"]["seconds"] for run in runs],
        "launcher, MB": [run["launcher"]["bytes"] / MB for run in runs],
        "graph, kB": [run["launcher"]["graph_bytes"] / 1e3 for run in runs],
        "listing, seconds": [run["planner"]["seconds"]["list"] for run in runs],
        "planning, seconds": [run["planner"]["seconds"]["plan"] for run in runs],
        "planning, MB": [run["planner"]["bytes"] / MB for run in runs],
        "plan as a side input, bytes": [run["side_input_bytes"] for run in runs],
        "plan as a file, kB": [run["plan_file_bytes"] / 1e3 for run in runs],
        "plan in a writer, MB": [run["writer"]["bytes"] / MB for run in runs],
        "first shard's windows, seconds": [run["writer"]["seconds"]["first"] for run in runs],
        "shuffled for each window, bytes": [run["shuffled_bytes_a_window"] for run in runs],
    }
    return [[name, *map(shown_number, values)] for name, values in figures.items()]


def shown_number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def test_the_columns_of_the_table_are_apart(few: dict[str, Any], many: dict[str, Any]) -> None:
    lines = aligned(rows(few, many)).splitlines()
    assert [len(re.split(" {2,}", line)) for line in lines] == [3] * len(lines)


def test_the_launcher_and_the_graph_do_not_grow(few: dict[str, Any], many: dict[str, Any]) -> None:
    # Names that Beam makes up have not always the same length.
    graphs = [each["launcher"]["graph_bytes"] for each in (few, many)]
    assert max(graphs) < 1.001 * min(graphs) < 100_000
    assert many["launcher"]["bytes"] < 300 * MB
    assert many["side_input_bytes"] < 2_000


def test_what_writers_and_the_shuffle_hold_stays_small(many: dict[str, Any]) -> None:
    assert many["windows"] > 30 * MANY
    assert many["writer"]["bytes"] < 300 * MANY
    assert many["shuffled_bytes_a_window"] < 100
    assert many["planner"]["bytes"] < 6_000 * MANY
