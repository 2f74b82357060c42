from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import page_cache
from benchmarks.reading import rounds
from benchmarks.reading.contenders import Contender
from benchmarks.reading.rounds import Entry, measure_all
from schemas import Dataset

PYTHON = Path("python")
RATES = {"slow": 100.0, "fast": 300.0, "middling": 200.0}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run, each by a stand-in; the first run with a setting is its best."""
    commands: list[list[str]] = []

    def run(*command: object, python: Path) -> SimpleNamespace:
        assert python == PYTHON
        words = [str(word) for word in command]
        rate = RATES[words[-1]] - commands.count(words)
        commands.append(words)
        results = {
            "epochs": {
                "windows_per_second": rate,
                "cpu_seconds_per_window": 1 / rate,
                "first_batch_seconds": 2 / rate,
                "idle_bytes": 1_000,
            },
            "epoch": {"windows_per_second": -1, "windows_per_second_from_opening": 7},
            "resume": {"state_bytes": 28, "resume_seconds": 0.5},
        }
        return SimpleNamespace(result=results[words[1]], peak_bytes=5_000)

    for name in ("measure", "watch"):
        monkeypatch.setattr(rounds, name, run)
    monkeypatch.setattr(page_cache, "drop", lambda files: "a switch")
    monkeypatch.setattr(page_cache, "cached_share", lambda files: 0.25)
    return commands


def entry(**options: Any) -> Entry:
    return Entry(Contender(module="ours", **options), PYTHON)


def tasks(commands: list[list[str]], setting: str) -> Iterator[str]:
    return (command[1] for command in commands if command[-1] == setting)


def test_the_fastest_setting_is_measured(tiny_dataset: Path, commands: list[list[str]]) -> None:
    settings = tuple((setting,) for setting in RATES)
    figures = measure_all({"x": entry(settings=settings)}, tiny_dataset, "log_mel")["x"]
    assert figures.setting == ("fast",)
    assert list(tasks(commands, "slow")) == list(tasks(commands, "middling")) == ["epochs"]
    assert list(tasks(commands, "fast")) == ["epochs"] * (1 + rounds.WARM_RUNS + 1) + ["epoch"]


def test_figures_are_those_of_the_fastest_run(
    tiny_dataset: Path, commands: list[list[str]]
) -> None:
    contender = entry(settings=(("slow",),), resumes=True)
    figures = measure_all({"x": contender}, tiny_dataset, "log_mel,notes")["x"]
    specs = Dataset(tiny_dataset).config.specs()
    window_gigabytes = (specs["log_mel"].nbytes + specs["notes"].nbytes) / 1e9
    assert figures == rounds.Figures(
        setting=("slow",),
        warm=100,
        cold=7,
        cpu_seconds_per_gb=0.01 / window_gigabytes,
        bytes_over_idle=4_000,
        first_batch_seconds=0.02,
        state_bytes=28,
        resume_seconds=0.5,
        dropped_by="a switch",
        cached_share=0.25,
    )


def test_contenders_take_turns(tiny_dataset: Path, commands: list[list[str]]) -> None:
    entries = {name: entry(settings=((name,),)) for name in ("slow", "fast")}
    measure_all(entries, tiny_dataset, "log_mel")
    order = [command[-1] for command in commands]
    assert order == ["slow", "fast"] * (rounds.WARM_RUNS + 2)


def test_only_contenders_with_a_state_resume(tiny_dataset: Path, commands: list[list[str]]) -> None:
    figures = measure_all({"x": entry(settings=(("slow",),))}, tiny_dataset, "log_mel")["x"]
    assert figures.state_bytes is figures.resume_seconds is None
    assert "resume" not in list(tasks(commands, "slow"))
