"""A memory budget holds: training goes through a dataset twenty times as large as its budget."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import PRESETS
from tests.support.dataset_factory import make_dataset

BUDGET = 32 * 2**20

ALLOWANCE = 32 * 2**20
"""What a process may grow by beyond the budget: what a second run of training takes that has
nothing to do with data, such as its graphs. Measured: 45 to 46 MB in all, of which the readers
hold 22. A dataset in memory exceeds the bound eight times over."""

WINDOWS = 2_910
"""Of 220,160 bytes each: 640 MB."""

FEW = 16
"""Windows of the dataset that a process trains on before anything is measured."""

SCRIPT = """
import sys
from pathlib import Path
from training import open_dataset
from training.config import FrameModelConfig, LoopConfig, TrainingConfig
from training.train import train

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

few, data, run_dir, budget, steps, what = sys.argv[1:]
model = FrameModelConfig(recurrent="rnn", units=(4,), components=1)
training = TrainingConfig(batch_size=8)

def trained(data, name, steps):
    loop = LoopConfig(steps=steps, validation_interval=100, memory_bytes=int(budget))
    train(data, f"{run_dir}/{name}", model, training, loop)

trained(few, "few", 4)
idle = peak()
if what == "hold":
    held = [batch["log_mel"].copy() for batch in open_dataset(data, batch_size=8).in_order()]
else:
    trained(data, "all", int(steps))
print(peak() - idle)
"""


def made(folder: Path, windows: int, shards: int) -> Path:
    return make_dataset(
        folder,
        config=dataclasses.replace(PRESETS["librosa"], features=("log_mel",)),
        frames={"train": (430,) * windows, "validation": (430,) * 8, "test": (430,)},
        formats=("tfrecord",),
        shards=shards,
    )


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One of a few windows, and one twenty times as large as the budget."""
    folder = tmp_path_factory.mktemp("memory")
    return made(folder / "few", FEW, 1), made(folder / "all", WINDOWS, 40)


def growth(datasets: tuple[Path, Path], run_dir: Path, what: str) -> int:
    """By how many bytes a process exceeds what it took to train on a few windows."""
    steps = -(-WINDOWS // 8)
    arguments = [str(value) for value in (*datasets, run_dir, BUDGET, steps, what)]
    run = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_training_stays_within_its_budget(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    grown = growth(datasets, tmp_path, "train")
    assert grown < BUDGET + ALLOWANCE, f"{grown / 2**20:.0f} MB"


def test_holding_the_dataset_would_be_noticed(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    assert growth(datasets, tmp_path, "hold") > 5 * (BUDGET + ALLOWANCE)
